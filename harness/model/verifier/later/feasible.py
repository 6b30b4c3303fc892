# SPDX-License-Identifier: MIT
"""Which ways of a comparison a program can take when it runs: a verifier that is right simulates each of them.

Of a register is known that it is a number, or that it may be any number of so many bits whatever else happened.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Jump, Source
from harness.model.signed import SIGN32, SIGN64, arithmetic_shift
from harness.model.value import M32, M64

_MOV, _ARSH = Alu.MOV.value, Alu.ARSH.value
_ALU64, _JMP, _X = Class.ALU64.value, Class.JMP.value, Source.X.value
_SHIFTS = frozenset({Alu.LSH.value, Alu.RSH.value, _ARSH})
_COMPUTED: Mapping[int, Callable[[int, int], int]] = {
    Alu.ADD: operator.add,
    Alu.SUB: operator.sub,
    Alu.MUL: operator.mul,
    Alu.AND: operator.and_,
    Alu.OR: operator.or_,
    Alu.XOR: operator.xor,
    Alu.LSH: operator.lshift,
    Alu.RSH: operator.rshift,
}
_HOLDS: Mapping[int, Callable[[int, int], bool]] = {
    Jump.JEQ: operator.eq,
    Jump.JNE: operator.ne,
    Jump.JGT: operator.gt,
    Jump.JGE: operator.ge,
    Jump.JLT: operator.lt,
    Jump.JLE: operator.le,
    Jump.JSET: lambda left, right: left & right != 0,
    Jump.JSGT: operator.gt,
    Jump.JSGE: operator.ge,
    Jump.JSLT: operator.lt,
    Jump.JSLE: operator.le,
}
_SIGNED = frozenset({Jump.JSGT.value, Jump.JSGE.value, Jump.JSLT.value, Jump.JSLE.value})
_REFLEXIVE = frozenset({Jump.JEQ.value, Jump.JGE.value, Jump.JLE.value, Jump.JSGE.value, Jump.JSLE.value})


class Fact(NamedTuple):
    """A register holds `value`, or with `bits` any number below 2 to the power of these."""

    value: int = 0
    bits: int = 0


@cache
def anything(bits: int) -> Fact:
    return Fact(bits=bits)


@lru_cache(maxsize=4096)
def exactly(value: int) -> Fact:
    return Fact(value)


_NOTHING_BEFORE = Fact()
"""Stands for what a move overwrites."""


def moved(insn: Instruction, facts: Mapping[int, Fact]) -> Fact | None:
    """Returns what the destination of arithmetic holds afterwards, None where nothing is known of it."""
    operation = insn.operation
    before = facts.get(insn.dst) if operation != _MOV else _NOTHING_BEFORE
    if before is None or before.bits or insn.off:
        return None
    mask, bits = (M64, 64) if insn.opcode_class == _ALU64 else (M32, 32)
    if insn.source != _X:
        right = insn.imm & mask
    elif (source := facts.get(insn.src)) is None or source.bits:
        return None
    else:
        right = source.value & mask
    if operation == _MOV:
        return exactly(right)
    if operation in _SHIFTS and right >= bits:
        return None
    left = before.value & mask
    if operation == _ARSH:
        shifted = arithmetic_shift(left, right, bits)
        return Fact(shifted) if isinstance(shifted, int) else None
    compute = _COMPUTED.get(operation)
    return None if compute is None else Fact(compute(left, right) & mask)


def outcomes(insn: Instruction, left: Fact, right: Fact) -> frozenset[bool]:
    """Returns whether a comparison can hold, and whether it can fail, as far as a few numbers show it."""
    mask, sign = (M64, SIGN64) if insn.opcode_class == _JMP else (M32, SIGN32)
    holds = _HOLDS.get(insn.operation)
    if holds is None:
        return frozenset()
    flip = sign if insn.operation in _SIGNED else 0
    if not left.bits and not right.bits:
        return frozenset({holds(left.value & mask ^ flip, right.value & mask ^ flip)})
    return frozenset(
        holds(one & mask ^ flip, other & mask ^ flip)
        for one in _numbers(left, right.value)
        for other in _numbers(right, left.value)
    )


def with_itself(insn: Instruction) -> bool | None:
    """Returns whether the comparison of a register with itself holds; None where that depends on its value."""
    if insn.operation == Jump.JSET:
        return None
    return insn.operation in _REFLEXIVE


def _numbers(fact: Fact, other: int) -> tuple[int, ...]:
    """Returns the number itself; of many the ends, and what is near the number it is compared with."""
    if not fact.bits:
        return (fact.value,)
    most = (1 << fact.bits) - 1
    half = most >> 1
    near = (other - 1 & M64, other, other + 1 & M64, other & M32, (other & M32) - 1, (other & M32) + 1)
    return (0, 1, half, half + 1, most, *(number for number in near if 0 <= number <= most))
