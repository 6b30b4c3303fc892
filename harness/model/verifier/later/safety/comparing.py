# SPDX-License-Identifier: MIT
"""Comparisons of numbers with constants: which way they go, and what they show.

Sources: is_branch_taken(), reg_set_min_max(), __reg_combine_32_into_64(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from harness.isa.opcodes import Jump
from harness.model.value import M32
from harness.model.verifier.later.safety.numbers import ANY, Number, constant, whole_bits

_JEQ, _JNE, _JSET = Jump.JEQ.value, Jump.JNE.value, Jump.JSET.value
_JGT, _JGE, _JLT, _JLE = Jump.JGT.value, Jump.JGE.value, Jump.JLT.value, Jump.JLE.value
_JSGT, _JSLE = Jump.JSGT.value, Jump.JSLE.value
_UNSIGNED = {_JSGT: _JGT, Jump.JSGE.value: _JGE, Jump.JSLT.value: _JLT, _JSLE: _JLE}
"""Signed comparisons, and what they are for numbers that are not negative."""


def holds(operation: int, left: Number, right: int, bits: int) -> bool | None:
    """Returns whether the comparison with a constant holds, None where some verifier may not know."""
    sign, right = 1 << bits - 1, right & ((1 << bits) - 1)
    low, high = (left.low, left.high) if bits == 64 else (left.low & M32, left.low & M32) if left.known else (0, M32)
    if operation in (_JEQ, _JNE, _JSET):
        if low != high:
            return None
        return low & right != 0 if operation == _JSET else (low == right) is (operation == _JEQ)
    if operation in _UNSIGNED:
        operation = _UNSIGNED[operation]
        if low != high and high >= sign:
            return None
        low, high, right = low ^ sign, high ^ sign, right ^ sign
    if operation in (_JGT, _JLE):
        greater = True if low > right else False if high <= right else None
    else:
        greater = True if low >= right else False if high < right else None
    return greater if operation in (_JGT, _JGE) or greater is None else not greater


def refined(operation: int, number: Number, right: int, bits: int, *, holds: bool) -> Number:
    """Returns what is known of a number where its comparison with a constant holds, or does not. After one of 32 bits,
    nothing is known but what is of the lower half."""
    right &= (1 << bits) - 1
    low, high = number.low, number.high
    if bits == 32:
        if high > M32:
            return ANY
        low, high = 0, number.word
    low, high = _bounds(operation, low, high, right, 1 << bits - 1, holds)
    if low > high:
        return weakened(number) if bits == 32 else number
    if low == high:
        return constant(low)
    if bits == 32:
        return Number(low, high, high, number.dense and number.low == 0 and number.word == number.high)
    return Number(low, high, min(number.word, whole_bits(high), M32), number.dense)


def follows(operation: int, number: Number, now: Number, bits: int) -> bool:
    """Returns whether `now` is all that an undecided comparison with a constant shows of a number, and not less, as of
    single bits, or of a sign where the bounds have both; and whether what verifiers know besides fits to it."""
    if operation in (_JEQ, _JNE):
        return True
    if not number.dense:
        return False
    before = weakened(number) if bits == 32 else number
    return operation != _JSET and before != now and not (bits == 32 and number.high > M32)


def weakened(number: Number) -> Number:
    """Returns what a comparison of 32 bits leaves of a number."""
    if number.known:
        return number
    return Number(0, number.word, number.word) if number.high <= M32 else ANY


def _bounds(operation: int, low: int, high: int, right: int, sign: int, holds: bool) -> tuple[int, int]:
    if operation == (_JEQ if holds else _JNE):
        return right, right
    if operation in (_JEQ, _JNE, _JSET):
        return low, high
    if operation in _UNSIGNED:
        below_zero = right == 2 * sign - 1 and operation in (_JSGT, _JSLE)
        if right >= sign and not below_zero:
            return low, high
        operation = _UNSIGNED[operation]
        if below_zero:  # greater than -1 is not less than 0
            operation, right = (_JGE, 0) if operation == _JGT else (_JLT, 0)
        if (operation in (_JGT, _JGE)) is holds:
            high = min(high, sign - 1)
        elif high >= sign:
            return low, high
    greater = operation in (_JGT, _JGE)
    if greater is holds:
        return max(low, right + 1 if operation in (_JGT, _JLE) else right), high
    return low, min(high, right if operation in (_JGT, _JLE) else right - 1)
