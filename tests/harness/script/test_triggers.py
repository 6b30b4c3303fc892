# SPDX-License-Identifier: MIT
"""What is said of triggers, on pages and in help."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.check.commands import check
from harness.script.triggers import TRIGGERS, From

PAGE = Path(__file__).parents[3] / "docs/check.md"


@pytest.mark.parametrize("name", TRIGGERS)
def test_every_argument_has_a_name_where_users_look(name: str) -> None:
    trigger = TRIGGERS[name]
    assert len(trigger.chosen) == trigger.call.count(From.CHOSEN)
    assert f"| `{name}` | {', '.join(trigger.chosen)} | `{trigger.reached}` |" in PAGE.read_text()
    told = "".join(CliRunner().invoke(check, ["--help"], terminal_width=80).output.split())
    assert f"{name}:{','.join(trigger.chosen).upper()}" in told


def test_what_reaches_the_function_is_told_argument_by_argument() -> None:
    assert TRIGGERS["pwrite_null"].reached == "write_null(?, buf, count, &offset)"
    assert TRIGGERS["null_lseek"].reached == "null_lseek(?, offset, whence (32 bits))"
