# SPDX-License-Identifier: MIT
"""Finds the instructions of a program that may access its context: the verifier replaces these by several."""

from __future__ import annotations

from collections.abc import Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, LD_IMM64, R1, Alu, Class, Jump, Mode, Source

_ARGUMENTS = frozenset(range(6))
"""R0 to R5, which a call overwrites."""
_SPILLED = -1
"""Stands for memory in place of a register: the context may be stored somewhere, from where any load may bring it."""


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
        if kind in (Class.JMP, Class.JMP32):
            if operation == Jump.EXIT:
                continue
            if operation == Jump.CALL:
                if insn.src:
                    return None
                held -= _ARGUMENTS
            else:
                target = index + 1 + (insn.imm if insn.code == Class.JMP32 | Jump.JA else insn.off)
                if target <= index:
                    return None
                holds[target] = holds.get(target, frozenset()) | held
                if operation == Jump.JA:
                    continue
        else:
            base = insn.src if kind == Class.LDX else insn.dst
            if kind in (Class.LDX, Class.ST, Class.STX) and base in held and base != FRAME_POINTER:
                found.add(index)
            held = _after(insn, held)
        holds[following] = holds.get(following, frozenset()) | held
    return frozenset(found)


def _after(insn: Instruction, held: frozenset[int]) -> frozenset[int]:
    """Returns what may hold the context behind an instruction that neither jumps nor calls."""
    kind, operation = insn.opcode_class, insn.operation
    if kind == Class.STX:
        stored = held | {_SPILLED} if insn.src in held else held
        loads = insn.mode == Mode.ATOMIC and insn.imm != 0 and _SPILLED in stored
        return stored | {insn.src, 0} if loads else stored
    if kind == Class.LD and insn.mode != Mode.IMM:
        return held - _ARGUMENTS
    if kind == Class.LDX:
        keeps = _SPILLED in held
    elif kind == Class.ALU64 and operation == Alu.MOV:
        keeps = insn.source == Source.X and insn.src in held
    elif kind == Class.ALU64:
        keeps = insn.dst in held or (insn.source == Source.X and insn.src in held)
    else:
        keeps = False
    if kind == Class.ST:
        return held
    return held | {insn.dst} if keeps else held - {insn.dst}
