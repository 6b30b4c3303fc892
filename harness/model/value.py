# SPDX-License-Identifier: MIT
"""Values of 64 bit registers: numbers, pointers, and numbers of which only some bits are known.

A register holds an `int` in 0..2**64-1, a `Pointer`, or a `Partial`. All three add, mask and shift with Python's own
operators, and what can still be known of a result is known: `unknown & 0xff` has 56 known bits. A comparison that the
known bits and bounds do not decide raises `Unpredictable`, so nothing is ever predicted by chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

from harness.script.outcome import Unknown

if TYPE_CHECKING:
    from harness.model.memory import Region

M64 = (1 << 64) - 1
M32 = (1 << 32) - 1
SIGN64 = 1 << 63
SIGN32 = 1 << 31


class Unpredictable(Exception):
    """The model cannot know what happens; the operation becomes `Unpredicted(why)`. Never leaves the model."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class Settled(Unpredictable):
    """Only what the operation gives cannot be known: what it does has been done to the model's state, where what
    cannot be known is in doubt already."""


class Deadly(Unpredictable):
    """The kernel has a fault that it may die of, now or when what came of the operation is used; `why` names it."""


class Unbounded(Unpredictable):
    """The operation may have done anything to anything, so nothing after it is certain."""


Value = Union[int, "Symbolic"]


class Symbolic:
    """Arithmetic shared by pointers and partly known numbers; both are modulo 2**64 and unsigned."""

    __slots__ = ()
    __hash__ = object.__hash__

    def partial(self) -> Partial:
        """What is known of this value as a number."""
        raise NotImplementedError

    def __add__(self, other: Value) -> Value:
        return _add(self.partial(), number(other))

    def __radd__(self, other: int) -> Value:
        return _add(number(other), self.partial())

    def __sub__(self, other: Value) -> Value:
        return 0 if self is other else _subtract(self.partial(), number(other))

    def __rsub__(self, other: int) -> Value:
        return _subtract(number(other), self.partial())

    def __mul__(self, other: Value) -> Value:
        return _multiply(self.partial(), number(other))

    __rmul__ = __mul__

    def __and__(self, other: Value) -> Value:
        if self is other or (isinstance(other, int) and other == M64):
            return self
        mine, theirs = self.partial(), number(other)
        known_zero = (~mine.value & ~mine.mask) | (~theirs.value & ~theirs.mask)
        return partial(mine.value & theirs.value, (mine.mask | theirs.mask) & ~known_zero & M64, mine.why)

    __rand__ = __and__

    def __or__(self, other: Value) -> Value:
        if self is other:
            return self
        mine, theirs = self.partial(), number(other)
        ones = mine.value | theirs.value
        return partial(ones, (mine.mask | theirs.mask) & ~ones, mine.why)

    __ror__ = __or__

    def __xor__(self, other: Value) -> Value:
        if self is other:
            return 0
        mine, theirs = self.partial(), number(other)
        mask = mine.mask | theirs.mask
        return partial((mine.value ^ theirs.value) & ~mask, mask, mine.why)

    __rxor__ = __xor__

    def __lshift__(self, count: Value) -> Value:
        mine, count = self.partial(), exactly(count)
        return partial((mine.value << count) & M64, (mine.mask << count) & M64, mine.why)

    def __rlshift__(self, other: int) -> Value:
        return Partial(other, 0, "") << self

    def __rshift__(self, count: Value) -> Value:
        mine, count = self.partial(), exactly(count)
        return partial(mine.value >> count, mine.mask >> count, mine.why)

    def __rrshift__(self, other: int) -> Value:
        return Partial(other, 0, "") >> self

    def __floordiv__(self, divisor: Value) -> Value:
        mine = self.partial()
        if not isinstance(divisor, int):
            divisor = 1  # at least 1, because the caller has dealt with 0; the quotient is no larger than the dividend
        elif divisor & (divisor - 1) == 0:
            return self >> (divisor.bit_length() - 1)
        return _below(mine.most // divisor, mine.why)

    def __rfloordiv__(self, other: int) -> Value:
        return Partial(other, 0, "") // self

    def __mod__(self, divisor: Value) -> Value:
        mine = self.partial()
        if not isinstance(divisor, int):
            return _below(min(mine.most, number(divisor).most), mine.why)
        if divisor & (divisor - 1) == 0:
            return self & (divisor - 1)
        return _below(min(mine.most, divisor - 1), mine.why)

    def __rmod__(self, other: int) -> Value:
        return Partial(other, 0, "") % self

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, int | Symbolic):
            return NotImplemented
        mine, theirs = self.partial(), number(other)
        both_known = ~(mine.mask | theirs.mask)
        if (mine.value ^ theirs.value) & both_known or mine.most < theirs.least or mine.least > theirs.most:
            return False
        raise Unpredictable(f"a comparison depends on {mine.why if mine.mask else theirs.why}")

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Value) -> bool:
        mine, theirs = self.partial(), number(other)
        if mine.most < theirs.least:
            return True
        if mine.least >= theirs.most or self is other:
            return False
        raise Unpredictable(f"a comparison depends on {mine.why if mine.mask else theirs.why}")

    def __gt__(self, other: Value) -> bool:
        mine, theirs = self.partial(), number(other)
        if mine.least > theirs.most:
            return True
        if mine.most <= theirs.least or self is other:
            return False
        raise Unpredictable(f"a comparison depends on {mine.why if mine.mask else theirs.why}")

    def __le__(self, other: Value) -> bool:
        return not self > other

    def __ge__(self, other: Value) -> bool:
        return not self < other

    def __bool__(self) -> bool:
        return self != 0


class Partial(Symbolic):
    """A number of which the bits outside `mask` are known to be those of `value`, and which lies in least..most.

    The bits are the kernel's own `struct tnum` (kernel/bpf/tnum.c). One object stands for one concrete number: copies
    are the same object, and two readings of a clock are two objects. `source` is the prediction of that number while
    nothing was computed from it.
    """

    __slots__ = ("least", "mask", "most", "source", "value", "why")

    def __init__(self, value: int, mask: int, why: str, source: Unknown | None = None) -> None:
        self.value = value & ~mask
        self.mask = mask
        self.why = why
        self.source = source
        self.least = self.value
        self.most = self.value | mask
        if source is not None:
            self.least = max(self.least, source.least if source.least is not None else 0)
            self.most = min(self.most, source.most if source.most is not None else M64)

    def partial(self) -> Partial:
        return self

    def prediction(self) -> Unknown:
        """The value as a leaf of a prediction."""
        return self.source or Unknown(self.why, least=self.least, most=self.most)

    def __repr__(self) -> str:
        return f"Partial({self.value:#x}, mask={self.mask:#x}, {self.why!r})"


class Pointer(Symbolic):
    """The address of byte `offset` of `region`. Its number is unknown, but sums keep what it points to."""

    __slots__ = ("offset", "region")

    def __init__(self, region: Region, offset: int = 0) -> None:
        self.region = region
        self.offset = offset

    def partial(self) -> Partial:
        return partial_of(self.region.address)

    def __add__(self, other: Value) -> Value:
        if isinstance(other, int):
            return Pointer(self.region, signed64((self.offset + other) & M64))
        return super().__add__(other)

    __radd__ = __add__

    def __sub__(self, other: Value) -> Value:
        if isinstance(other, int):
            return self + -other
        if isinstance(other, Pointer) and other.region is self.region:
            return (self.offset - other.offset) & M64
        return super().__sub__(other)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Pointer) and other.region is self.region:
            return self.offset == other.offset
        return super().__eq__(other)

    __hash__ = object.__hash__

    def __lt__(self, other: Value) -> bool:
        if isinstance(other, Pointer) and other.region is self.region:
            return self.offset < other.offset
        return super().__lt__(other)

    def __gt__(self, other: Value) -> bool:
        if isinstance(other, Pointer) and other.region is self.region:
            return self.offset > other.offset
        return super().__gt__(other)

    def __repr__(self) -> str:
        return f"Pointer({self.region.name}{self.offset:+d})"


def partial(value: int, mask: int, why: str) -> Value:
    """A number with the bits of `mask` unknown; a plain int when there are none."""
    return Partial(value, mask, why) if mask else value


def partial_of(unknown: Unknown) -> Partial:
    """A fresh number of which only `unknown` is known. High bits that its bounds settle are known bits."""
    least = unknown.least if unknown.least is not None else 0
    most = unknown.most if unknown.most is not None else M64
    mask = (1 << (least ^ most).bit_length()) - 1
    return Partial(least & ~mask, mask, unknown.why, unknown)


def unknown(why: str, bits: int = 64) -> Partial:
    """A fresh number of which nothing is known but that it has `bits` bits."""
    return Partial(0, (1 << bits) - 1, why)


def number(value: Value) -> Partial:
    """`value` as a partly known number; of an int, all bits are known."""
    return Partial(value, 0, "") if isinstance(value, int) else value.partial()


def exactly(value: Value) -> int:
    """`value`, when all of it is known; else Unpredictable."""
    if isinstance(value, int):
        return value
    raise Unpredictable(f"depends on {value.partial().why}")


def signed64(value: int) -> int:
    """`value` in 0..2**64-1 as two's complement."""
    return value - (1 << 64) if value & SIGN64 else value


def sign_extend(value: Value, bits: int) -> Value:
    """The low `bits` of `value`, extended to 64 by their top bit."""
    sign = 1 << bits - 1
    return ((value & ((sign << 1) - 1) ^ sign) - sign) & M64


def arithmetic_shift(value: Value, count: Value, bits: int) -> Value:
    """Right shift of the low `bits` of `value` that repeats the sign bit; the result has `bits` bits."""
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


def _below(most: int, why: str) -> Value:
    return partial(0, (1 << most.bit_length()) - 1, why)


def _why(left: Partial, right: Partial) -> str:
    return left.why if left.mask else right.why


def _add(left: Partial, right: Partial) -> Value:
    """tnum_add: a bit of the sum is known when both bits and the carry into it are."""
    least = left.value + right.value
    spread = least + left.mask + right.mask ^ least
    mask = (spread | left.mask | right.mask) & M64
    return partial(least & ~mask & M64, mask, _why(left, right))


def _subtract(left: Partial, right: Partial) -> Value:
    """tnum_sub."""
    difference = left.value - right.value
    spread = (difference + left.mask) ^ (difference - right.mask)
    mask = (spread | left.mask | right.mask) & M64
    return partial(difference & ~mask & M64, mask, _why(left, right))


def _multiply(left: Partial, right: Partial) -> Value:
    """The low bits of a product depend on nothing but equally many low bits of the factors, and on trailing zeros."""
    if 0 in (left.most, right.most):
        return 0
    known = min(_trailing(left.mask) + _trailing_zeros(right), _trailing(right.mask) + _trailing_zeros(left), 64)
    mask = M64 & ~((1 << known) - 1)
    return partial(left.value * right.value & ~mask & M64, mask, _why(left, right))


def _trailing(mask: int) -> int:
    """How many low bits of `mask` are clear; 64 when all are."""
    return (mask & -mask).bit_length() - 1 if mask else 64


def _trailing_zeros(factor: Partial) -> int:
    return _trailing(factor.value | factor.mask)
