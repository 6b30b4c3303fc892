# SPDX-License-Identifier: MIT
"""Where a program may reach its context, whatever way it takes."""

from __future__ import annotations

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R6,
    R7,
    R10,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    stx,
)
from harness.model.interface.context_uses import context_uses


def uses(*pieces: Piece) -> list[int] | None:
    found = context_uses(program(*pieces, exit_()).instructions)
    return None if found is None else sorted(found)


def test_the_context_is_followed_through_copies_sums_and_the_stack() -> None:
    assert uses(ldx(W, R0, R1, 0)) == [0]
    assert uses(mov64_reg(R6, R1), add64_imm(R6, 8), ldx(W, R0, R6, 0)) == [2]
    assert uses(stx(DW, R10, -8, R1), ldx(DW, R7, R10, -8), ldx(W, R0, R7, 0)) == [2]


def test_what_was_written_over_or_called_away_is_no_context() -> None:
    assert uses(mov64_imm(R1, 0), ldx(W, R0, R1, 0)) == []
    assert uses(mov64_reg(R6, R1), call(7), ldx(W, R2, R1, 0), ldx(W, R0, R6, 0)) == [3]
    assert uses(ldx(DW, R1, R10, -8), ldx(W, R0, R1, 0)) == []


def test_one_way_of_two_is_enough() -> None:
    both = (jeq_imm(R0, 0, "other"), mov64_reg(R7, R1), "other", ldx(W, R0, R7, 0))
    assert uses(mov64_reg(R7, R10), *both) == [3]


def test_a_loop_is_not_followed() -> None:
    assert uses("again", jeq_imm(R0, 0, "again")) is None
