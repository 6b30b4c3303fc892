# SPDX-License-Identifier: MIT
"""Programs whose verdict hangs on whether every verifier comes to an instruction: a trial shows it."""

from __future__ import annotations

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    Piece,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    jsgt_reg,
    ldx,
    mov64_imm,
    mov64_reg,
)
from harness.isa.instruction import Instruction
from harness.script.operations import Operation
from tests.harness.model.scripts import FIRE, MAP, element, last, load, predict, read

FOREIGN = (mov64_imm(R0, 0), exit_())
RESERVED = Instruction(0xBF, R0, R1, 0, 1)
"""A move with an `imm`: EINVAL where a path comes to it."""


def _behind(*condition: Piece, end: Piece = RESERVED) -> tuple[Piece, ...]:
    """The end is reached by programs that find a number in the map, and behind a condition."""
    return (
        mov64_reg(R6, R1),
        *element(0),
        ldx(DW, R2, R0, 0),
        ldx(DW, R3, R6, 0),
        mov64_imm(R0, 0),
        add64_imm(R2, 1),  # facts of numbers that any may be end here
        *condition,
        end,
        *FOREIGN,
    )


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ((jsgt_reg(R2, R3, "next"), mov64_imm(R1, 0), "next"), "EINVAL"),
        ((mov64_reg(R2, R3), jeq_imm(R2, 0x7FFF1234, "on"), *FOREIGN, "on"), "EINVAL"),
        ((mov64_imm(R3, 1), Instruction(0x57, R2, 0, 0, 1), jsgt_reg(R2, R3, "on"), *FOREIGN, "on"), "?"),
        ((Instruction(0x57, R2, 0, 0, 6), jeq_imm(R2, 1, "on"), *FOREIGN, "on"), "?"),
    ],
)
def test_what_a_trial_comes_to_is_refused(condition: tuple[Piece, ...], said: object) -> None:
    """The last two are reached by no input, which verifiers know or not."""
    program = load("program", *_behind(*condition))
    assert last(MAP, program, name="6.1") == said


def test_a_call_for_the_jit_that_a_trial_comes_to() -> None:
    where = {"name": "7.2", "arch": "arm64"}
    program = load("program", *_behind(jsgt_reg(R2, R3, "next"), mov64_imm(R1, 0), "next", end=call(8)))
    assert last(MAP, program, **where, engine="interp") == "EINVAL"
    assert last(MAP, program, **where, engine="jit") == "ok"


def test_a_trial_leaves_no_trace() -> None:
    """It stores into maps of its own."""
    store = (*element(1), Instruction(0x7A, R0, 0, 0, 7), mov64_reg(R1, R6))
    program = load("program", *_behind(jsgt_reg(R2, R3, "next"), mov64_imm(R1, 0), "next", *store))
    operations: tuple[Operation, ...] = (MAP, program, FIRE, read(1))
    said = predict(*operations, name="6.1")
    assert [getattr(one, "errno", "?") for one in said[:2]] == [None, "EINVAL"]
    assert getattr(said[3], "data", None) == bytes(8)
