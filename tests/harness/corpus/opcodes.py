# SPDX-License-Identifier: MIT
"""Every opcode that is newer than 4.1's, on operands around which arithmetic goes wrong.

A script is one program of many lines. A line takes two numbers from the map "operands", which no verifier knows, and
puts what the instruction under test made of them into the map "results", whose first word serves as memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from itertools import product

from harness.core_scripts.parts import array, element
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R8,
    R9,
    R10,
    Atomic,
    Piece,
    aim,
    exit_,
    gotol,
    jgt_imm,
    ldx,
    lsh64_imm,
    mov64_imm,
    mov64_reg,
    program,
    stx,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Source
from harness.isa.table import OPCODES, Opcode
from harness.model.verifier.later.opcode_lowering import STAND_INS
from harness.release import Release
from harness.script.operations import (
    LoadProgram,
    LookupElement,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
)

NUMBERS = (0, 1, 7, 31, 0x80, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1,
           0x1122_3344_5566_7788, (1 << 64) - 7, 0xFFFF_FFFF_8000_0000)  # fmt: skip
CONSTANTS = (0, 1, 31, 0x80, 0x7FFF_FFFF, -0x8000_0000, -1, -7)
LINES = 256
"""In one program, which 4.1's limits must allow to be simulated."""
JUMPS = 14
"""In one program: without pruning, each of them doubles what there is to simulate, and a million is the limit."""
CELL = -16
"""A word of the stack; the key of `element` is above it."""
Line = tuple[int, int, Piece]
"""Two operands, which are put into R1 and R2, and what makes R1 of them."""


def corpus(release: Release) -> tuple[Script, ...]:
    """For each newer opcode that `release` has, and 4.1 something like it."""
    newer = [one for one in OPCODES if not one.original and one.since <= release and one.name in STAND_INS]
    return tuple(script for opcode in newer for script in _scripts(opcode))


def _scripts(opcode: Opcode) -> Iterator[Script]:
    lines, most = list(_lines(opcode)), JUMPS if opcode.opcode_class in (Class.JMP, Class.JMP32) else LINES
    for start in range(0, len(lines), most):
        yield _script(f"{opcode.name} {start // most}", lines[start : start + most])


def _script(name: str, lines: Sequence[Line]) -> Script:
    operands = b"".join(struct.pack("<QQ", left, right) for left, right, _ in lines)
    code = program(
        (element("operands"), mov64_reg(R8, R0)),
        (element("results"), mov64_reg(R9, R0)),
        [
            (ldx(DW, R1, R8, 16 * number), ldx(DW, R2, R8, 16 * number + 8), work, stx(DW, R9, 8 + 8 * number, R1))
            for number, (_, _, work) in enumerate(lines)
        ],
        mov64_imm(R0, 1),
        exit_(),
    )
    return Script(
        name,
        "an opcode newer than 4.1's, on many operands",
        (
            array("operands", value_size=len(operands)),
            array("results", value_size=8 + 8 * len(lines)),
            UpdateElement(Ref("operands"), bytes(4), operands),
            LoadProgram("program", ProgramType.SOCKET_FILTER, code),
            RunSocketFilter(Ref("program"), b"packet"),
            LookupElement(Ref("results"), bytes(4), 8 + 8 * len(lines)),
        ),
    )


def _lines(opcode: Opcode) -> Iterator[Line]:
    pairs = product(NUMBERS, NUMBERS)
    kind = opcode.opcode_class
    if opcode.name == "gotol":
        yield from ((left, 0, (jgt_imm(R1, 6, 1), gotol(1), mov64_imm(R1, 0))) for left in NUMBERS)
    elif kind in (Class.JMP, Class.JMP32):
        yield from ((left, right, _decides(insn)) for insn in _operands(opcode) for left, right in _pairs(insn))
    elif kind in (Class.ALU, Class.ALU64):
        yield from ((left, right, insn) for insn in _operands(opcode) for left, right in _pairs(insn))
    elif kind == Class.LDX:
        size = _nbytes(opcode)
        for left, off in product(NUMBERS, range(0, 8, size)):
            yield left, 0, (_put(R1), Instruction(opcode.code, R1, R10, CELL + off))
    elif opcode.name.startswith("load_acquire"):
        yield from ((left, 0, (_put(R1), Instruction(opcode.code, R1, R10, CELL, opcode.value))) for left in NUMBERS)
    else:
        for left, right in pairs:
            yield from _on_memory(opcode, left, right)


def _on_memory(opcode: Opcode, left: int, right: int) -> Iterator[Line]:
    """The word `left`, changed with the operand `right`: what is there afterwards, on the stack and in a map, and what
    the registers hold that the opcode may have changed. R0 is `right` or `left`, so that both ways of a comparison are
    gone."""
    insn = Instruction(opcode.code, R10, R2, CELL, opcode.value)
    in_map = Instruction(opcode.code, R9, R2, 0, opcode.value)
    for compared in (R1, R2) if opcode.value == Atomic.CMPXCHG else (R1,):
        start = (_put(R1), mov64_reg(R0, compared))
        yield left, right, (start, insn, ldx(DW, R1, R10, CELL))
        yield left, right, (start, insn, mov64_reg(R1, R2))
        yield left, right, (start, insn, mov64_reg(R1, R0))
    yield left, right, (mov64_reg(R0, R1), stx(DW, R9, 0, R1), in_map, ldx(DW, R1, R9, 0))


def _operands(opcode: Opcode) -> Iterator[Instruction]:
    fields = {opcode.selector: opcode.value} if opcode.selector else {}
    if opcode.operation == Alu.END and opcode.opcode_class in (Class.ALU, Class.ALU64):
        yield from (Instruction(opcode.code, R1, imm=bits) for bits in (16, 32, 64))
    elif opcode.source == Source.X:
        yield Instruction(opcode.code, R1, R2, **fields)
    else:
        divides = opcode.name.startswith(("sdiv", "smod"))
        shifts = opcode.name.startswith("arsh")
        allowed = (0, 1, 15, 31) if shifts else [one for one in CONSTANTS if one or not divides]
        yield from (Instruction(opcode.code, R1, imm=imm, **fields) for imm in allowed)


def _pairs(insn: Instruction) -> Iterator[tuple[int, int]]:
    """All operands that count."""
    yield from product(NUMBERS, NUMBERS) if insn.source == Source.X else ((number, 0) for number in NUMBERS)


def _decides(jump: Instruction) -> Piece:
    """R1 becomes 1 where the jump is taken, else 0; the shift makes 4.1's verifier forget which."""
    return (mov64_imm(R3, 1), aim(jump, 1), mov64_imm(R3, 0), mov64_reg(R1, R3), lsh64_imm(R1, 0), mov64_reg(R3, R1))


def _put(register: int) -> Instruction:
    return stx(DW, R10, CELL, register)


def _nbytes(opcode: Opcode) -> int:
    return opcode.size.nbytes
