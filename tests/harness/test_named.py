# SPDX-License-Identifier: MIT
"""Scripts by name: the one that is asked for is made, and no others, of which there are more than a thousand."""

from __future__ import annotations

import pytest

from harness.named import named
from harness.script.clause import Clause
from harness.script.operations import Script
from hil.errors import UserError

LANE = "x86_64", "6.1"


@pytest.mark.parametrize(
    ("name", "subcommand", "clauses"), [("counting", "run", 0), ("ATTACH-14", "conform", 1), ("case-7-1", "fuzz", 0)]
)
def test_one_is_made(name: str, subcommand: str, clauses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    make = Clause.script

    def count(self: Clause, era: str, version: int | None = None) -> Script:
        made.append(self.id)
        return make(self, era, version)

    monkeypatch.setattr(Clause, "script", count)
    found, script = named(name, *LANE)
    assert (found, script.name) == (subcommand, name)
    assert len([one for one in made if one[0].isupper()]) == clauses


def test_a_name_that_means_nothing_has_the_nearest_ones() -> None:
    with pytest.raises(UserError, match="there is jmp32-pointer-zero"):
        named("jmp32-pointer-zer", *LANE, ["jmp32-pointer-zero"])
