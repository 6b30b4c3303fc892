# SPDX-License-Identifier: MIT
"""Bounds of numbers, held against the numbers themselves."""

from __future__ import annotations

import random

import pytest

from harness.isa.opcodes import Alu, Jump
from harness.model.signed import arithmetic_shift
from harness.model.value import M32, M64
from harness.model.verifier.later.safety.comparing import holds, refined, weakened
from harness.model.verifier.later.safety.numbers import ANY, Number, computed, constant, lower_half, of_bits

OPERATIONS = {
    Alu.ADD: lambda left, right, bits: left + right,
    Alu.SUB: lambda left, right, bits: left - right,
    Alu.MUL: lambda left, right, bits: left * right,
    Alu.AND: lambda left, right, bits: left & right,
    Alu.OR: lambda left, right, bits: left | right,
    Alu.XOR: lambda left, right, bits: left ^ right,
    Alu.LSH: lambda left, right, bits: left << right,
    Alu.RSH: lambda left, right, bits: left >> right,
    Alu.ARSH: arithmetic_shift,
}
COMPARISONS = {
    Jump.JEQ: lambda left, right: left == right,
    Jump.JNE: lambda left, right: left != right,
    Jump.JGT: lambda left, right: left > right,
    Jump.JGE: lambda left, right: left >= right,
    Jump.JLT: lambda left, right: left < right,
    Jump.JLE: lambda left, right: left <= right,
    Jump.JSET: lambda left, right: left & right != 0,
}
SIGNED = {Jump.JSGT: Jump.JGT, Jump.JSGE: Jump.JGE, Jump.JSLT: Jump.JLT, Jump.JSLE: Jump.JLE}
_EDGES = (0, 1, 7, 255, M32 >> 1, (M32 >> 1) + 1, M32, M32 + 1, M64 >> 1, (M64 >> 1) + 1, M64 - 1, M64)


def _some(source: random.Random) -> tuple[Number, tuple[int, ...]]:
    """A number, and some that it may be."""
    ends = [source.choice((source.choice(_EDGES), source.getrandbits(source.randint(1, 64)))) for _ in range(2)]
    low, high = sorted(ends)
    number = source.choice((Number(low, high), constant(low), of_bits(source.randint(1, 64))))
    low, high, word, _ = number
    tried = (low, high, *(source.randint(low, high) for _ in range(3)))
    return number, tuple(one for one in tried if one & M32 <= word)


def _is(number: Number, value: int) -> bool:
    return number.low <= value <= number.high and value & M32 <= number.word


def compare(operation: Jump, left: int, right: int, bits: int) -> bool:
    mask = (1 << bits) - 1
    left, right = left & mask, right & mask
    if operation in SIGNED:
        operation, left, right = SIGNED[operation], left ^ 1 << bits - 1, right ^ 1 << bits - 1
    return COMPARISONS[operation](left, right)


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("bits", [32, 64])
def test_a_result_is_between_its_bounds(operation: Alu, bits: int) -> None:
    source, mask = random.Random(f"{operation}{bits}"), (1 << bits) - 1
    for _ in range(2000):
        (left, lefts), (right, rights) = _some(source), _some(source)
        if operation in (Alu.LSH, Alu.RSH, Alu.ARSH):
            right = constant(source.randrange(bits))
            rights = (right.low,)
        found = computed(operation, left, right, bits)
        for one in lefts:
            for other in rights:
                result = OPERATIONS[operation](one & mask, other & mask, bits) & mask
                assert _is(found, result), (left, right, found, one, other)


@pytest.mark.parametrize("operation", [*COMPARISONS, *SIGNED])
@pytest.mark.parametrize("bits", [32, 64])
def test_what_a_comparison_shows_is_true(operation: Jump, bits: int) -> None:
    source = random.Random(f"{operation}{bits}")
    for _ in range(2000):
        (left, lefts), right = _some(source), source.choice((*_EDGES, source.getrandbits(64)))
        decided = holds(operation, left, right, bits)
        for one in lefts:
            truth = compare(operation, one, right, bits)
            assert decided in (None, truth), (left, right)
            assert _is(refined(operation, left, right, bits, holds=truth), one), (left, right, truth)


def test_what_5_10_does_not_know() -> None:
    """Of a comparison of 64 bits the lower half learns how many bits are in use."""
    compared = refined(Jump.JGT, ANY, 100, 64, holds=False)
    assert compared == Number(0, 100, 127)
    assert lower_half(compared) == Number(0, 127, 127)
    assert weakened(compared) == Number(0, 127, 127)
    assert weakened(ANY) == ANY
    assert holds(Jump.JGT, compared, 200, 64) is False
    assert holds(Jump.JGT, compared, 200, 32) is None
    assert holds(Jump.JEQ, compared, 200, 64) is None
