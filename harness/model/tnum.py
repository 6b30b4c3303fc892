# SPDX-License-Identifier: MIT
"""Arithmetic on numbers of which only some bits are known, as in the kernel's verifier: kernel/bpf/tnum.c.

A number is `value` with the bits of `mask` unknown, which are 0 in `value`; all are modulo 2**64.
"""

from __future__ import annotations

from typing import NamedTuple

M64 = (1 << 64) - 1


class Tnum(NamedTuple):
    value: int
    mask: int


def add(left: Tnum, right: Tnum) -> Tnum:
    """tnum_add: a bit of the sum is known when both bits and the carry into it are."""
    least = left.value + right.value
    spread = least + left.mask + right.mask ^ least
    mask = (spread | left.mask | right.mask) & M64
    return Tnum(least & ~mask & M64, mask)


def subtract(left: Tnum, right: Tnum) -> Tnum:
    """tnum_sub."""
    difference = left.value - right.value
    spread = (difference + left.mask) ^ (difference - right.mask)
    mask = (spread | left.mask | right.mask) & M64
    return Tnum(difference & ~mask & M64, mask)


def multiply(left: Tnum, right: Tnum) -> Tnum:
    """Returns the product: its low bits depend on nothing but equally many low bits of the factors, and on trailing
    zeros."""
    known = min(
        trailing_zeros(left.mask) + trailing_zeros(right.value | right.mask),
        trailing_zeros(right.mask) + trailing_zeros(left.value | left.mask),
        64,
    )
    mask = M64 & ~((1 << known) - 1)
    return Tnum(left.value * right.value & ~mask & M64, mask)


def trailing_zeros(bits: int) -> int:
    """Returns how many low bits are clear; 64 when all are."""
    return (bits & -bits).bit_length() - 1 if bits else 64


def signed64(value: int) -> int:
    """Returns `value` in 0..2**64-1 as two's complement."""
    return value - (1 << 64) if value >> 63 else value
