# SPDX-License-Identifier: MIT
"""Lowering of opcodes that came after 4.1 to opcodes that 4.1's verifier knows.

A stand-in demands of registers and memory what the newer opcode demands of them in later verifiers, and 4.1 learns
nothing from it: a result is an unknown number, and both sides of a comparison are possible. What 4.1 accepts with
stand-ins is therefore accepted with the opcodes themselves, by the releases that have them. Reserved fields of the
newer opcode stay where they are, and are reserved in the stand-in, too.

Sources: check_alu_op(), check_cond_jmp_op(), check_atomic(), do_check(), kernel/bpf/verifier.c of 5.10, 6.1 and 6.12.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, Alu, Atomic, Class, Jump, Mode, Source
from harness.isa.table import OPCODES, find
from harness.release import Release

StandIn = Callable[[Instruction], Instruction]


def _comparison(insn: Instruction) -> Instruction:
    """Lowers to `>=`, from which 4.1 learns nothing, and `>= 0`, which every verifier that knows more may take."""
    imm = insn.imm if insn.source == Source.X else 0
    return replace(insn, code=Class.JMP | Jump.JGE | insn.source, imm=imm)


def _far_jump(insn: Instruction) -> Instruction:
    return replace(insn, code=Class.JMP | Jump.JA, off=insn.imm, imm=insn.off)


def _unsigned(insn: Instruction) -> Instruction:
    """Lowers a division that differs by `off`."""
    return replace(insn, off=0)


def _narrow_move(insn: Instruction) -> Instruction:
    """Lowers a move of a part of a register, which is a number, also of a pointer."""
    return replace(insn, code=Class.ALU | Alu.MOV | Source.X, off=0)


def _narrow(operation: Alu) -> StandIn:
    return lambda insn: replace(insn, code=Class.ALU | operation | insn.source)


def _load(insn: Instruction) -> Instruction:
    return replace(insn, code=Class.LDX | Mode.MEM | insn.size)


def _ordered(kind: Class) -> StandIn:
    return lambda insn: replace(insn, code=kind | Mode.MEM | insn.size, imm=0)


def _addition(insn: Instruction) -> Instruction:
    return replace(insn, imm=Atomic.ADD)


_FAMILIES: Mapping[str, StandIn] = {
    "j": _comparison,
    "gotol": _far_jump,
    "arsh32": _narrow(Alu.RSH),
    "sdiv": _unsigned,
    "smod": _unsigned,
    "movsx": _narrow_move,
    "bswap": _narrow(Alu.END),
    "ldxsx": _load,
    "atomic": _addition,
    "load_acquire": _ordered(Class.LDX),
    "store_release": _ordered(Class.STX),
}
"""The stand-ins, by the beginning of the names of opcodes."""

STAND_INS: Mapping[str, StandIn] = {
    opcode.name: stand_in
    for opcode in OPCODES
    for family, stand_in in _FAMILIES.items()
    if not opcode.original and opcode.name.startswith(family)
}
"""The stand-ins, by the newer opcode's name."""

_LOWERED = frozenset(opcode.code for opcode in OPCODES if opcode.name in STAND_INS)
"""The codes of these opcodes."""


@dataclass(frozen=True)
class Translated:
    """A program of opcodes that 4.1 has, instruction for instruction. `fetches` are the registers that atomic
    operations read and write besides, by index; `ordered` the loads that are atomic, `signed` those that extend a sign.
    """

    program: tuple[Instruction, ...]
    fetches: Mapping[int, int]
    ordered: frozenset[int]
    signed: frozenset[int]


def translate(program: Sequence[Instruction], release: Release) -> Translated:
    """Replaces the newer opcodes that `release` has by stand-ins; others stay."""
    stand_ins = list(program)
    fetches: dict[int, int] = {}
    ordered: set[int] = set()
    signed: set[int] = set()
    for index, insn in enumerate(program):
        if insn.code not in _LOWERED:
            continue
        opcode = find(insn)
        if opcode is None or opcode.since > release or opcode.name not in STAND_INS:
            continue
        stand_ins[index] = STAND_INS[opcode.name](insn)
        if opcode.name.startswith("load_acquire"):
            ordered.add(index)
        elif opcode.name.startswith("ldxsx"):
            signed.add(index)
        elif opcode.name.startswith("atomic") and opcode.value & Atomic.FETCH:
            fetches[index] = R0 if opcode.value == Atomic.CMPXCHG else insn.src
    return Translated(tuple(stand_ins), fetches, frozenset(ordered), frozenset(signed))
