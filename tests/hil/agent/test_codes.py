# SPDX-License-Identifier: MIT
"""The numbers of the wire format equal those of the agent's header, by the compiler that builds the agent."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path

import pytest

from hil.agent import codes, steps, wire
from hil.agent.results import How, Status
from hil.arch import architectures

HEADER = Path(__file__).parents[3] / "guest" / "wire.h"
ENUMERATIONS: tuple[tuple[str, type[IntEnum]], ...] = (
    ("FRAME_", codes.FrameType),
    ("OPERAND_", codes.OperandKind),
    ("STEP_", codes.StepCode),
    ("STATUS_", Status),
    ("END_", How),
)
NUMBERS: Mapping[str, int] = {
    "PROTOCOL_VERSION": codes.PROTOCOL_VERSION,
    "FRAME_MAGIC": codes.FRAME_MAGIC,
    "NO_TAG": codes.NO_TAG,
    "FRAME_HEADER": wire.FRAME_HEADER.size,
    "RESULT_HEADER": wire.RESULT_HEADER.size,
    "RESULT_RECORD": wire.RESULT_RECORD.size,
    "MAX_DEADLINE": round(1000 * steps.MAX_DEADLINE),
    **{name: value for name, value in vars(steps).items() if name.startswith("MAX_") and name != "MAX_DEADLINE"},
    **{f"{prefix}{one.name}": one.value for prefix, all in ENUMERATIONS for one in all if one is not How.REJECTED},
}
"""The numbers by their names in the header, without `How.REJECTED`, by which the client represents an ERROR frame."""
ONE_SIDED = {"STATUS_NOT_REACHED"}
"""Names that only the agent has: it sends no record of such a step."""


def wrong(numbers: Mapping[str, int]) -> str:
    """The compiler's messages about static assertions of `numbers`."""
    compiler = next(arch.gcc for arch in architectures().values() if shutil.which(arch.gcc))
    claims = (f'_Static_assert({name} == {value}u, "{name}");\n' for name, value in numbers.items())
    source = "".join((f'#include "{HEADER}"\n', *claims))
    command = [compiler, "-std=gnu11", "-fsyntax-only", "-x", "c", "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, timeout=60).stderr


@pytest.mark.skipif(not any(shutil.which(arch.gcc) for arch in architectures().values()), reason="no compiler is here")
def test_every_number_is_the_agents() -> None:
    assert wrong(NUMBERS) == ""
    messages = wrong({name: value + 1 for name, value in NUMBERS.items()})
    assert not [name for name in NUMBERS if f'"{name}"' not in messages], "a wrong number is found"


def test_every_number_of_the_agent_is_compared() -> None:
    enumerations = re.findall(r"^enum (?:\w+ )?\{(.*?)\}", HEADER.read_text(), re.DOTALL | re.MULTILINE)
    names = {name for body in enumerations for name in re.findall(r"\b[A-Z][A-Z0-9_]+\b(?=\s*(?:=|,|$))", body.strip())}
    names |= set(re.findall(r"^#define (\w+) \S", HEADER.read_text(), re.MULTILINE))
    assert len(names) > 40
    assert names - ONE_SIDED == set(NUMBERS)
