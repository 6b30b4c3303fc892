# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from harness.isa import assemble as asm
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R10,
    W,
    add64_imm,
    call,
    call_local,
    exit_,
    gotol,
    ja,
    jeq_imm,
    jne_imm,
    ld_imm64,
    ld_map,
    ld_map_fd,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
    xadd,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Helper
from harness.isa.table import OPCODES, find
from harness.script.operations import Program, Ref
from hil.errors import UserError


@pytest.mark.parametrize(
    ("instruction", "encoded"),
    [
        (mov64_imm(R0, -1), "b7 00 0000 ffffffff"),
        (mov64_reg(R2, R10), "bf a2 0000 00000000"),
        (add64_imm(R2, -4), "07 02 0000 fcffffff"),
        (ldx(DW, R2, R1, 112), "79 12 7000 00000000"),
        (st(W, R10, -4, 7), "62 0a fcff 07000000"),
        (stx(DW, R10, -8, R1), "7b 1a f8ff 00000000"),
        (xadd(DW, R0, 0, R1), "db 10 0000 00000000"),
        (jne_imm(R0, 0, +3), "55 00 0300 00000000"),
        (gotol(-2), "06 00 0000 feffffff"),
        (call_local(5), "85 10 0000 05000000"),
        (call(Helper.PROBE_READ), "85 00 0000 04000000"),
        (exit_(), "95 00 0000 00000000"),
    ],
)
def test_encodings_of_the_kernel_headers(instruction: Instruction, encoded: str) -> None:
    assert instruction.encode() == bytes.fromhex(encoded)


def test_a_program_resolves_labels_and_maps() -> None:
    assert program(
        "again",
        ld_map(R1, "counter"),
        jeq_imm(R0, 0, "out"),
        [ja("again")],
        "out",
        exit_(),
    ) == Program(
        (
            Instruction(0x18, 1, 1),
            Instruction(0),
            Instruction(0x15, 0, off=1),
            Instruction(0x05, off=-4),
            Instruction(0x95),
        ),
        ((0, Ref("counter")),),
    )


@pytest.mark.parametrize("value", [0, -1, 1 << 31, 0x1234_5678_9ABC_DEF0, (1 << 64) - 1])
def test_constants_come_in_halves(value: int) -> None:
    low, high = ld_imm64(R1, value)
    assert (low.imm & 0xFFFFFFFF) | (high.imm & 0xFFFFFFFF) << 32 == value & (1 << 64) - 1


def test_complaints() -> None:
    with pytest.raises(UserError, match="instruction 1 jumps to label out"):
        program(exit_(), ja("out"))
    with pytest.raises(UserError, match="label out is defined twice"):
        program("out", exit_(), "out")
    with pytest.raises(UserError, match="does not fit into 64 bits"):
        ld_imm64(R0, 1 << 64)


def test_every_function_says_its_opcode() -> None:
    """Functions named after a row build that row."""
    names = {opcode.name for opcode in OPCODES}
    for name in names & set(vars(asm)) - {"call"}:
        build = vars(asm)[name]
        built = next(
            built
            for count in range(1, 4)
            if (built := _try(build, count)) is not None  # arity
        )
        opcode = find(built[0] if isinstance(built, tuple) else built)
        assert opcode is not None
        assert opcode.name == name
    assert ld_map_fd(R1, 5)[0] == Instruction(0x18, 1, 1, imm=5)


def _try(build, count: int):
    try:
        return build(*range(count))
    except TypeError:
        return None
