# SPDX-License-Identifier: MIT
"""Classes of operands: numbers with which arithmetic goes the same way, or wrong."""

from __future__ import annotations

from random import Random

from harness.model.value import Pointer, Value

_M64 = (1 << 64) - 1
_SINGLE = {
    0: "0",
    1: "1",
    _M64: "-1",
    1 << 31: "2^31",
    _M64 ^ ((1 << 31) - 1): "s32 min",
    1 << 63: "s64 min",
}
"""Numbers that are a class of their own. -2^31 as an unsigned number of 32 bits is `2^31`."""
_RANGES = ((1 << 31, "31 bits"), (1 << 32, "32 bits"), (1 << 63, "63 bits"), (1 << 64, "negative"))
"""The others, by the number that they are below."""
NUMBERS = (*_SINGLE.values(), *(name for _, name in _RANGES))
"""The classes of plain numbers."""
IMMEDIATES = tuple(name for name in NUMBERS if name not in ("2^31", "s64 min", "32 bits", "63 bits"))
"""Those that an instruction's 32 bits with a sign can have."""


def class_of(value: Value) -> str:
    """Returns the class of a register's value."""
    if isinstance(value, int):
        return _SINGLE.get(value) or next(name for bound, name in _RANGES if value < bound)
    return "pointer" if isinstance(value, Pointer) else "unknown"


def outcome_of(value: Value) -> str:
    """Returns the class of a result, coarser than that of an operand."""
    if isinstance(value, int):
        return "0" if value == 0 else "-" if value >> 63 else "+"
    return "pointer" if isinstance(value, Pointer) else "unknown"


def drawn(random: Random, name: str, *, immediate: bool = False) -> int:
    """Returns a number of a class, modulo 2**64; with `immediate` one that fits 32 bits with a sign."""
    for number, single in _SINGLE.items():
        if single == name:
            return number
    match name:
        case "31 bits":
            return random.randrange(2, 1 << random.randrange(2, 32))
        case "32 bits":
            return random.randrange((1 << 31) + 1, 1 << 32)
        case "63 bits":
            return random.randrange(1 << 32, 1 << random.randrange(33, 64))
    return -random.randrange(2, 1 << random.randrange(2, 32 if immediate else 63)) & _M64
