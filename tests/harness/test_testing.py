# SPDX-License-Identifier: MIT
"""What somebody who writes tests imports: that it is complete, and that it is light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import harness.testing
from harness.script.operations import Operation
from harness.testing import asm as build
from harness.testing import assemble, op, read_object

HEAVY = ("harness.clauses", "harness.model", "harness.run", "pytest", "paramiko", "rich", "click", "elftools")
OBJECTS = Path(__file__).parent / "programs"


def test_loading_it_loads_no_clause_no_model_and_no_bench() -> None:
    program = "import sys\nimport harness.testing\nprint(*sys.modules)\n"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert "harness.script.operations" in loaded
    assert [name for name in loaded if name in HEAVY] == []


@pytest.mark.parametrize("operation", get_args(Operation))
def test_every_operation_can_be_written(operation: type) -> None:
    assert getattr(op, operation.__name__) is operation


@pytest.mark.parametrize("name", harness.testing.__all__)
def test_everything_that_is_promised_is_there(name: str) -> None:
    assert getattr(harness.testing, name) is not None


def test_what_is_not_there_is_told_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match=r"module 'harness\.testing' has no attribute 'Guest'"):
        harness.testing.Guest  # noqa: B018


def test_a_program_may_be_text() -> None:
    assert assemble("r0 = 0\nexit\n") == build.program(build.mov64_imm(build.R0, 0), build.exit_())
    assert read_object.__module__ == "harness.programs.object_file"
