# SPDX-License-Identifier: MIT
"""What one instruction does to registers, for two lanes of which nobody knows what is right: which ones it writes, and
how far apart the results may be when its inputs are known."""

from __future__ import annotations

from collections.abc import Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, R0, R1, R5, STACK_SIZE, Alu, Atomic, Class, Jump, Mode, Source
from harness.lockstep.inside import CALL
from harness.model.value import M64

Registers = Sequence[int | None]
CLOBBERED = frozenset(range(R1, R5 + 1))
"""What a call leaves undefined."""
_ALU = (Class.ALU, Class.ALU64)
_JUMPS = (Class.JMP, Class.JMP32)
_STORES = (Class.ST, Class.STX)
_PACKET = (Mode.ABS, Mode.IND)


def calls(one: Instruction) -> bool:
    """Returns whether R1 to R5 are undefined behind it."""
    return one.code == CALL or (one.opcode_class is Class.LD and one.mode in _PACKET)


def written(one: Instruction) -> frozenset[int]:
    """Returns the registers that an instruction gives a value."""
    if one.opcode_class in _ALU or one.opcode_class is Class.LDX or one.code == LD_IMM64:
        return frozenset({one.dst})
    if calls(one):
        return frozenset({R0})
    if one.opcode_class is Class.STX and one.mode == Mode.ATOMIC:
        if one.imm == Atomic.CMPXCHG:
            return frozenset({R0})
        if one.imm == Atomic.LOAD_ACQUIRE:
            return frozenset({one.dst})
        return frozenset({one.src} if one.imm & Atomic.FETCH else ())
    return frozenset()


def read(one: Instruction) -> frozenset[int]:
    """Returns the registers that decide what an instruction of arithmetic gives, a jump does, or a load from the packet
    reads."""
    if one.opcode_class in _ALU:
        source = {one.src} if one.source is Source.X and one.operation != Alu.END else set()
        return frozenset(source if one.operation == Alu.MOV else {one.dst, *source})
    if one.opcode_class in _JUMPS:
        if one.operation in (Jump.JA, Jump.CALL, Jump.EXIT, Jump.JCOND):
            return frozenset()
        return frozenset({one.dst, one.src} if one.source is Source.X else {one.dst})
    return frozenset({one.src} if one.opcode_class is Class.LD and one.mode == Mode.IND else ())


def conditional(one: Instruction) -> bool:
    return one.opcode_class in _JUMPS and bool(read(one))


def frame_offset(registers: Registers, base: int, off: int) -> int | None:
    """Returns where in the frame's stack an address is, from its lowest byte; None when it is elsewhere."""
    top, address = registers[-1], registers[base]
    if top is None or address is None:
        return None
    place = (address + off - top + STACK_SIZE) & M64
    return place if place < STACK_SIZE else None


def stores(one: Instruction) -> bool:
    """Returns whether an instruction may write to memory at its `dst`."""
    if one.opcode_class is Class.STX and one.mode == Mode.ATOMIC:
        return one.imm != Atomic.LOAD_ACQUIRE
    return one.opcode_class in _STORES and one.mode == Mode.MEM


def stored(one: Instruction, left: Registers, right: Registers) -> range | None:
    """Returns the bytes of the stack that a store writes on both sides; None for anything else."""
    if not stores(one):
        return None
    place = frame_offset(left, one.dst, one.off)
    same = place is not None and place == frame_offset(right, one.dst, one.off)
    return range(place, min(place + one.size.nbytes, STACK_SIZE)) if same and place is not None else None


def apart(one: Instruction, left: Registers, right: Registers) -> int | None:
    """Returns how far apart the results of both sides must be, by what both had before; None when what an instruction
    gives comes from elsewhere, or follows from values that already differ."""
    distance = {}
    for number in read(one):
        first, second = left[number], right[number]
        if first is None or second is None:
            return None
        distance[number] = (first - second) & M64
    if one.opcode_class in _ALU or (one.opcode_class is Class.LD and one.mode in _PACKET):
        if not any(distance.values()):
            return 0
        if one.opcode_class is Class.ALU64 and not one.off:
            source = distance.get(one.src, 0) if one.source is Source.X else 0
            if one.operation == Alu.MOV:
                return source
            if one.operation == Alu.ADD:
                return (distance[one.dst] + source) & M64
            if one.operation == Alu.SUB:
                return (distance[one.dst] - source) & M64
        return None
    return 0 if one.code == LD_IMM64 and not one.src else None
