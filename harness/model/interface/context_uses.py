# SPDX-License-Identifier: MIT
"""Finds the instructions of a program that may access its context: the verifier replaces these by several."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, LD_IMM64, R1, REGISTERS, Alu, Class, Jump, Mode, Source

_ARGUMENTS = frozenset(range(6))
"""R0 to R5, which a call overwrites."""
_SPILLED = -1
"""Stands for memory in place of a register: the context may be stored somewhere, from where any load may bring it."""
_LD, _LDX, _ST, _STX = Class.LD.value, Class.LDX.value, Class.ST.value, Class.STX.value
_ALU64, _JMP, _JMP32 = Class.ALU64.value, Class.JMP.value, Class.JMP32.value
_MOV, _X, _IMM, _ATOMIC = Alu.MOV.value, Source.X.value, Mode.IMM.value, Mode.ATOMIC.value
_JUMPS, _BASED = frozenset({_JMP, _JMP32}), frozenset({_LDX, _ST, _STX})
_CALL, _EXIT, _JA, _JA32 = Jump.CALL.value, Jump.EXIT.value, Jump.JA.value, Class.JMP32 | Jump.JA
"""Plain numbers: these are compared at every instruction."""


def context_uses(program: Sequence[Instruction]) -> frozenset[int] | None:
    """Returns the indices of loads and stores whose address may be in the context, a pointer to which a program gets in
    R1; None for a program that jumps back or calls functions of its own, in which this is not followed."""
    holds: dict[int, frozenset[int]] = {0: frozenset({R1})}
    found = set()
    for index, insn in enumerate(program):
        held = holds.get(index)
        if held is None:  # no path leads here, or it is the second half of a constant
            continue
        kind, operation = insn.opcode_class, insn.operation
        following = index + (2 if insn.code == LD_IMM64 else 1)
        if kind in _JUMPS:
            if operation == _EXIT:
                continue
            if operation == _CALL:
                if insn.src:
                    return None
                held -= _ARGUMENTS
            else:
                target = index + 1 + (insn.imm if insn.code == _JA32 else insn.off)
                if target <= index:
                    return None
                holds[target] = holds[target] | held if target in holds else held
                if operation == _JA:
                    continue
        else:
            base = insn.src if kind == _LDX else insn.dst
            if kind in _BASED and base in held and base != FRAME_POINTER:
                found.add(index)
            held = _after(insn, held)
        holds[following] = holds[following] | held if following in holds else held
    return frozenset(found)


@dataclass(frozen=True)
class Reads:
    """How far into its context, in bytes, the verifier sees a program read: between `least` and `most`."""

    least: int
    most: int


def context_reads(program: Sequence[Instruction]) -> Reads:
    """Returns the reads of a program that was accepted."""
    uses = context_uses(program)
    ends = {index: insn.off + insn.size.nbytes for index, insn in enumerate(program) if insn.opcode_class == Class.LDX}
    least = max((ends[index] for index in _surely_reads(program) if index in ends), default=0)
    most = max((end for index, end in ends.items() if uses is None or index in uses), default=0)
    computed = any(
        insn.opcode_class == Class.ALU64 and insn.operation != Alu.MOV and insn.dst in _copied_to(program, ends)
        for insn in program
    )
    return Reads(least, ANYWHERE if most and computed else most)


ANYWHERE = 1 << 16


def _copied_to(program: Sequence[Instruction], loads: Iterable[int]) -> set[int]:
    """Registers that these loads have as bases, and those that are copied there."""
    found = {program[index].src for index in loads} - {FRAME_POINTER}
    for _ in range(REGISTERS):
        copies = (one for one in program if one.opcode_class == Class.ALU64 and one.operation == Alu.MOV)
        found |= {one.src for one in copies if one.source == Source.X and one.dst in found}
    return found


def _surely_reads(program: Sequence[Instruction]) -> Iterator[int]:
    """The loads before the first jump whose base is the context, or a copy of it."""
    holds = {R1}
    for index, insn in enumerate(program):
        kind = insn.opcode_class
        if kind in (Class.JMP, Class.JMP32):
            if insn.operation != Jump.CALL or insn.src:
                return
            holds -= _ARGUMENTS
            continue
        if kind == Class.LDX and insn.src in holds:
            yield index
        if kind in (Class.LD, Class.STX):
            holds -= _ARGUMENTS | {insn.dst, insn.src}
        elif kind != Class.ST:
            copied = insn.code == Class.ALU64 | Alu.MOV | Source.X and not insn.off and insn.src in holds
            holds = holds | {insn.dst} if copied else holds - {insn.dst}


def _after(insn: Instruction, held: frozenset[int]) -> frozenset[int]:
    """Returns what may hold the context behind an instruction that neither jumps nor calls."""
    kind, operation = insn.opcode_class, insn.operation
    if kind == _STX:
        stored = held | {_SPILLED} if insn.src in held else held
        loads = insn.mode == _ATOMIC and insn.imm != 0 and _SPILLED in stored
        return stored | {insn.src, 0} if loads else stored
    if kind == _LD and insn.mode != _IMM:
        return held - _ARGUMENTS
    if kind == _LDX:
        keeps = _SPILLED in held
    elif kind == _ALU64 and operation == _MOV:
        keeps = insn.source == _X and insn.src in held
    elif kind == _ALU64:
        keeps = insn.dst in held or (insn.source == _X and insn.src in held)
    else:
        keeps = False
    if kind == _ST:
        return held
    if keeps is (insn.dst in held):
        return held
    return held | {insn.dst} if keeps else held - {insn.dst}
