# SPDX-License-Identifier: MIT
"""Numbers between bounds, of which no verifier since 5.10 knows less.

Bounds are unsigned. What a comparison of 64 bits shows is not known of the lower 32 bits in 5.10, but for how many of
them are in use (tnum); so these have a bound of their own.

Sources: adjust_scalar_min_max_vals(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.isa.opcodes import Alu
from harness.model.signed import arithmetic_shift
from harness.model.value import M32, M64

_ADD, _SUB, _MUL, _OR, _AND = Alu.ADD.value, Alu.SUB.value, Alu.MUL.value, Alu.OR.value, Alu.AND.value
_LSH, _RSH, _XOR, _ARSH = Alu.LSH.value, Alu.RSH.value, Alu.XOR.value, Alu.ARSH.value
_SHIFTS = frozenset({_LSH, _RSH, _ARSH})


class Number(NamedTuple):
    """Any number from `low` to `high`, both without a sign, whose lower 32 bits are at most `word`. It is `dense` where
    each of them is possible, whatever else a verifier knows: then no bounds contradict that."""

    low: int = 0
    high: int = M64
    word: int = M32
    dense: bool = False

    @property
    def known(self) -> bool:
        """Returns whether it is one number."""
        return self.low == self.high

    def covers(self, other: Number) -> bool:
        """Returns whether this is every number that the other may be."""
        within = self.low <= other.low and other.high <= self.high and other.word <= self.word
        return within and (other.dense or other.known or not self.dense)


ANY = Number()


def constant(value: int) -> Number:
    """Returns the number that a signed or unsigned constant is in a register."""
    return Number(value & M64, value & M64, value & M32)


def of_bits(bits: int) -> Number:
    """Returns any number of so many bits."""
    return Number(0, (1 << bits) - 1, (1 << min(bits, 32)) - 1)


def whole_bits(most: int) -> int:
    """Returns the highest number that has no more bits."""
    return (1 << most.bit_length()) - 1


def lower_half(number: Number) -> Number:
    """Returns the lower 32 bits: zext_32_to_64()."""
    return constant(number.low & M32) if number.known else Number(0, number.word, number.word)


def computed(operation: int, left: Number, right: Number, bits: int) -> Number:
    """Returns the result of arithmetic of 32 or 64 bits. Divisions, negations and byte orders are not looked into."""
    if bits == 32:
        left, right = lower_half(left), lower_half(right)
    if operation in _SHIFTS and not (right.known and right.low < bits):
        return of_bits(bits)
    if left.known and right.known:
        return _exact(operation, left.low, right.low, bits)
    low, high = _between(operation, left, right, bits)
    if bits == 32:
        return Number(0, high, high)
    dense = left.dense and right.known and _keeps_all(operation, left, right.low)
    return Number(low, high, _lower_bound(operation, left, right, whole_bits(high)), dense)


def _keeps_all(operation: int, left: Number, right: int) -> bool:
    """Returns whether the results are all numbers between two, as those on the left are."""
    if operation == _AND:
        return left.low == 0 and right & (right + 1) == 0
    return operation == _RSH or (operation == _ADD and left.high + right <= M64)


def _exact(operation: int, left: int, right: int, bits: int) -> Number:
    mask = (1 << bits) - 1
    if operation == _ARSH:
        shifted = arithmetic_shift(left, right, bits)
        return constant(shifted) if isinstance(shifted, int) else of_bits(bits)
    if operation == _LSH:
        return constant(left << right & mask)
    results = {
        _ADD: left + right,
        _SUB: left - right,
        _MUL: left * right,
        _AND: left & right,
        _OR: left | right,
        _XOR: left ^ right,
        _RSH: left >> right if right < bits else 0,
    }
    return constant(results[operation] & mask) if operation in results else of_bits(bits)


def _between(operation: int, left: Number, right: Number, bits: int) -> tuple[int, int]:
    """Returns bounds of the result; those of any number of so many bits where it may wrap."""
    mask, half, top = (1 << bits) - 1, (1 << bits // 2) - 1, 1 << bits - 1
    low, high = -1, -1
    if operation == _ADD:
        low, high = left.low + right.low, left.high + right.high
    elif operation == _SUB:
        low, high = left.low - right.high, left.high - right.low
    elif operation == _MUL and left.high <= half and right.high <= half:
        low, high = left.low * right.low, left.high * right.high
    elif operation == _AND:
        low, high = 0, min(left.high, right.high)
    elif operation in (_OR, _XOR):
        low, high = 0, whole_bits(max(left.high, right.high))
    elif operation == _LSH and left.high << right.low <= top:
        low, high = left.low << right.low, left.high << right.low
    elif operation == _RSH or (operation == _ARSH and left.high < top):
        low, high = left.low >> right.low, left.high >> right.low
    return (low, high) if low >= 0 and high <= mask else (0, mask)


def _lower_bound(operation: int, left: Number, right: Number, most: int) -> int:
    """Returns the bound of the lower 32 bits of a result of 64 bits that is at most `most`, a number of whole bits."""
    if operation == _AND:
        return min(left.word, right.word)
    if operation == _ADD and left.high <= M32 and right.high <= M32:
        return min(left.word + right.word, M32)
    if operation == _RSH:
        return min(whole_bits(left.high) >> right.low, M32)
    if operation in (_OR, _XOR):
        return min(most, M32)
    return M32
