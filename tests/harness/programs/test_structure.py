# SPDX-License-Identifier: MIT
"""Malformed programs are told before they run."""

from __future__ import annotations

import pytest

from harness.isa.instruction import Instruction
from harness.isa.text import assemble
from harness.programs.structure import check
from harness.script.operations import Program
from hil.errors import UserError

NEWEST = (7, 2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("goto pc+1\nexit", "instruction 0 jumps to 2"),
        ("r0 = 0\nif r0 == 0x0 goto pc-3\nexit", "instruction 1 jumps to -1"),
        ("if w0 == 0x0 goto pc+5\nexit", "instruction 0 jumps to 6"),
        ("gotol pc+70000\nexit", "instruction 0 jumps to 70001"),
        ("call pc+9\nexit", "instruction 0 jumps to 10"),
        ("goto pc+1\nr0 = 0x1 ll\nexit", "instruction 0 jumps into the 64 bit constant at 1"),
        ("r0 = 0", "instruction 0 is the last one, and neither an exit nor a jump"),
        ("exit\nr0 = 0x1 ll", "instruction 1 is the last one"),
        ("r1 = map_value fd 5 off 8\nexit", "loads the map of descriptor 5, but no descriptor is open here"),
        ("r1 = map_fd 5\nexit", "loads the map of descriptor 5, but no descriptor is open here; name the map"),
    ],
)
def test_what_cannot_run(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said.replace("+", r"\+")):
        check(assemble(text), NEWEST)


@pytest.mark.parametrize(
    ("instruction", "said"),
    [
        (Instruction(0xFF), "instruction 0 has an undefined opcode: ff"),
        (Instruction(0xBF, 11, 0), "instruction 0 names r11, which does not exist"),
        (Instruction(0x18), "is half a 64 bit constant"),
    ],
)
def test_instructions_that_are_none(instruction: Instruction, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check(Program((instruction,)), NEWEST)


def test_an_opcode_from_the_future() -> None:
    text = "r0 = bswap16 r0\nexit"
    with pytest.raises(UserError, match=r"is bswap, which came with 6\.6; the era is 6\.1"):
        check(assemble(text), (6, 1))
    check(assemble(text), NEWEST)


def test_an_empty_program() -> None:
    with pytest.raises(UserError, match="no instructions"):
        check(Program(()), NEWEST)


def test_what_can_run() -> None:
    check(assemble("r0 = 0x1 ll\nl: call pc+2\nif r0 != 0x0 goto l\nexit\nr0 = 0\nexit"), NEWEST)
