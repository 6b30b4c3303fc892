# SPDX-License-Identifier: MIT
"""Which programs leave behind what every kernel must leave behind alike."""

from __future__ import annotations

import pytest

from harness.core_scripts.parts import count_hits
from harness.crosscheck.determined import determined
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    add64_reg,
    call,
    exit_,
    jne_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
    xadd,
)
from harness.isa.instruction import Instruction

FOUND: tuple[Piece, ...] = (
    (mov64_reg(R6, R1), st(W, R10, -4, 0), mov64_reg(R2, R10), add64_imm(R2, -4), ld_map(R1, "map")),
    (call(Helper.MAP_LOOKUP_ELEM), jne_imm(R0, 0, 1), exit_()),
)
"""R6 is the context, R0 the value of the map."""
END: tuple[Piece, ...] = ((mov64_imm(R0, 0), exit_()),)


@pytest.mark.parametrize(
    "pieces",
    [
        (mov64_imm(R0, 7), exit_()),
        (*count_hits("map"), exit_()),
        (*FOUND, ldx(DW, R1, R0, 0), add64_imm(R1, 3), stx(DW, R0, 8, R1), *END),
        (*FOUND, mov64_imm(R3, 0), mov64_reg(R1, R6), ld_map(R2, "programs"), call(Helper.TAIL_CALL), *END),
        (Instruction(0x20, imm=0), exit_()),  # a word of the packet
        (Instruction(0x85, 0, 1, 0, 2), *END, mov64_imm(R0, 0), exit_()),  # a function, what it returns is not used
    ],
)
def test_numbers_that_the_script_gives_are_decided(pieces: tuple[Piece, ...]) -> None:
    assert determined(program(*pieces).instructions)


@pytest.mark.parametrize(
    "pieces",
    [
        (mov64_reg(R0, R10), exit_()),
        (call(Helper.KTIME_GET_NS), exit_()),
        (*FOUND, stx(DW, R0, 0, R6), *END),  # an address in a map
        (*FOUND, stx(DW, R10, -8, R6), *END),  # an address on the stack, from where it may go anywhere
        (*FOUND, ldx(DW, R1, R6, 0), stx(DW, R0, 0, R1), *END),  # a register of the probe
        (*FOUND, mov64_imm(R1, 1), add64_reg(R1, R10), xadd(DW, R0, 0, R1), *END),
        (*FOUND, jne_imm(R6, 0, 0), *END),  # a comparison with an address
        (*FOUND, ldx(DW, R1, R10, -8), stx(DW, R0, 0, R1), *END),  # what was on the stack before
        (*FOUND, mov64_reg(R3, R0), jne_imm(R3, 1, 0), *END),
        (mov64_reg(R2, R10), add64_imm(R2, -4), ld_map(R1, "map"), call(Helper.MAP_LOOKUP_ELEM), *END),  # no key
        (mov64_reg(R3, R10), mov64_imm(R4, 0), ld_map(R2, "programs"), call(Helper.TAIL_CALL), *END),
        (Instruction(0x85, 0, 1, 0, 1), exit_(), mov64_imm(R0, 0), exit_()),  # what a function returns is not followed
        (Instruction(0x85, 0, 2, 0, 1), *END),  # a function of the kernel
        (mov64_imm(R0, 0),),  # no end
    ],
)
def test_what_may_come_of_addresses_time_or_leftovers_is_not(pieces: tuple[Piece, ...]) -> None:
    assert not determined(program(*pieces).instructions)
