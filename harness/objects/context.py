# SPDX-License-Identifier: MIT
"""What a program reads of its context: the offsets of its loads, and of what it has a helper copy.

Followed are the registers that hold the context's address, or one at a constant distance from it, on every way to an
instruction, also into functions that are called. What goes through the stack is not followed, so that a read may be
missed; one that is told is of the context.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, R0, R1, R3, R5, Alu, Class, Helper, Jump, Mode, Source
from harness.objects.object_file import ObjectProgram

_COPY = (Helper.PROBE_READ, Helper.PROBE_READ_KERNEL)
"""Helpers that read where their third argument points to."""
_PASSED = range(R1, R5 + 1)
_LOST = range(R0, R5 + 1)
_LOCAL = 1
"""`src` of a call of a function in the same program: BPF_PSEUDO_CALL."""
_Held = Mapping[int, int]
"""The distance of an address from the context's, in bytes, by the register that holds it."""


@dataclass(frozen=True)
class Read:
    """A read of the context by `instruction`, at `offset` in bytes."""

    instruction: int
    offset: int


def reads(program: ObjectProgram) -> tuple[Read, ...]:
    """Returns what an object's program reads of its context, as it was compiled; what a kernel's types decide (CO-RE)
    is left out."""
    code = program.program.instructions
    relocated = frozenset(one.instruction for one in program.pending)
    held: dict[int, _Held] = {}
    waiting: list[tuple[int, _Held]] = [(0, {R1: 0})]
    while waiting:
        at, arriving = waiting.pop()
        if not 0 <= at < len(code):
            continue
        known = held.get(at)
        now = arriving if known is None else dict(known.items() & arriving.items())
        if now != known:
            held[at] = now
            waiting.extend(_onward(code, at, now, relocated=at in relocated))
    return tuple(_reads(code, {at: known for at, known in held.items() if at not in relocated}))


def _reads(code: Sequence[Instruction], held: Mapping[int, _Held]) -> Iterator[Read]:
    for at, known in sorted(held.items()):
        one = code[at]
        if one.opcode_class is Class.LDX and one.mode in (Mode.MEM, Mode.MEMSX) and one.src in known:
            yield Read(at, known[one.src] + one.off)
        elif one.code == Class.JMP | Jump.CALL and not one.src and one.imm in _COPY and R3 in known:
            yield Read(at, known[R3])


def _onward(code: Sequence[Instruction], at: int, held: _Held, *, relocated: bool) -> Iterator[tuple[int, _Held]]:
    """Yields the instructions that may follow, with what is held there."""
    one, next = code[at], at + (2 if code[at].code == LD_IMM64 else 1)
    if one.opcode_class not in (Class.JMP, Class.JMP32):
        yield next, _after(one, held, relocated=relocated)
    elif one.operation == Jump.CALL:
        if one.source is Source.K and one.src == _LOCAL:
            yield next + one.imm, {register: held[register] for register in _PASSED if register in held}
        yield next, {register: offset for register, offset in held.items() if register not in _LOST}
    elif one.operation == Jump.JA:
        yield next + (one.imm if one.opcode_class is Class.JMP32 else one.off), held
    elif one.operation != Jump.EXIT:
        yield next + one.off, held
        yield next, held


def _after(one: Instruction, held: _Held, *, relocated: bool) -> _Held:
    """What registers hold behind an instruction that is no jump."""
    if one.opcode_class in (Class.ST, Class.STX):
        changed = {one.src, R0} if one.mode == Mode.ATOMIC else set()
        return {register: offset for register, offset in held.items() if register not in changed}
    left = {register: offset for register, offset in held.items() if register != one.dst}
    if one.opcode_class is not Class.ALU64 or relocated:
        return left
    match one.operation, one.source:
        case Alu.MOV, Source.X if one.src in held and not one.off:
            return {**left, one.dst: held[one.src]}
        case Alu.ADD, Source.K if one.dst in held:
            return {**left, one.dst: held[one.dst] + one.imm}
        case Alu.SUB, Source.K if one.dst in held:
            return {**left, one.dst: held[one.dst] - one.imm}
    return left
