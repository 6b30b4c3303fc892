# SPDX-License-Identifier: MIT
"""Operations that repeat the sign bit: kernel/bpf/core.c, __bpf_prog_run(), labels ALU_ARSH_*, MOVSX and LDSX."""

from __future__ import annotations

from harness.model.value import M64, Value, exactly, number, partial

SIGN64 = 1 << 63
SIGN32 = 1 << 31


def sign_extend(value: Value, bits: int) -> Value:
    """Returns the low `bits` of `value`, extended to 64 by their top bit."""
    sign = 1 << bits - 1
    return ((value & ((sign << 1) - 1) ^ sign) - sign) & M64


def arithmetic_shift(value: Value, count: Value, bits: int) -> Value:
    """Returns the right shift of the low `bits` of `value` that repeats the sign bit; the result has `bits` bits."""
    if isinstance(value, int) and isinstance(count, int):
        sign = 1 << bits - 1
        return ((value & ((sign << 1) - 1) ^ sign) - sign) >> count & ((sign << 1) - 1)
    count = exactly(count)
    low = (1 << bits) - 1
    operand = number(value & low)
    return partial(_shift_signed(operand.value, count, bits), _shift_signed(operand.mask, count, bits), operand.why)


def _shift_signed(value: int, count: int, bits: int) -> int:
    sign = 1 << bits - 1
    return ((value ^ sign) - sign) >> count & ((1 << bits) - 1)
