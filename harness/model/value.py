# SPDX-License-Identifier: MIT
"""Values of 64 bit registers: numbers, pointers, and numbers of which only some bits are known.

A register holds an `int` in 0..2**64-1, a `Pointer`, or a `Partial`. All three add, mask and shift with Python's own
operators, and what can still be known of a result is known: `unknown & 0xff` has 56 known bits. A comparison that the
known bits and bounds do not decide raises `Unpredictable`, so nothing is ever predicted by chance.

A number that was cut out of another one remembers which bits it is, so that what was taken apart comes together again:
a pointer minus its low half ends in 32 zeros, and both halves together are the pointer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Union

from harness.model.cut import Cut
from harness.model.tnum import M64 as M64
from harness.model.tnum import Tnum, add, multiply, signed64, subtract, trailing_zeros
from harness.model.unpredictable import UNDECIDED, Unpredictable
from harness.script.outcome import Unknown

if TYPE_CHECKING:
    from harness.model.memory import Region

M32 = (1 << 32) - 1


Value = Union[int, "Symbolic"]


class Symbolic:
    """Arithmetic that pointers and partly known numbers share; both are modulo 2**64 and unsigned."""

    __slots__ = ()
    __hash__ = object.__hash__

    def partial(self) -> Partial:
        """Returns what is known of this value as a number."""
        raise NotImplementedError

    def __add__(self, other: Value) -> Value:
        if isinstance(other, int):
            return _moved(_by(add, self.partial(), number(other)), self, other)
        if (both := _together(self, other, operator.or_, disjoint=True)) is not None:
            return both
        return _by(add, self.partial(), number(other))

    def __radd__(self, other: int) -> Value:
        return self + other

    def __sub__(self, other: Value) -> Value:
        if isinstance(other, int):
            return _moved(_by(subtract, self.partial(), number(other)), self, -other)
        if (cut := _difference(self, other)) is not None:
            return cut
        return _close(_by(subtract, self.partial(), number(other)), self, other)

    def __rsub__(self, other: int) -> Value:
        return _by(subtract, number(other), self.partial())

    def __mul__(self, other: Value) -> Value:
        mine, theirs = self.partial(), number(other)
        return 0 if 0 in (mine.most, theirs.most) else _by(multiply, mine, theirs)

    __rmul__ = __mul__

    def __and__(self, other: Value) -> Value:
        if self is other:
            return self
        if isinstance(other, int):
            return self if other == M64 else _masked(self, other)
        if (both := _together(self, other, operator.and_)) is not None:
            return both
        mine, theirs = self.partial(), number(other)
        known_zero = (~mine.value & ~mine.mask) | (~theirs.value & ~theirs.mask)
        return partial(mine.value & theirs.value, (mine.mask | theirs.mask) & ~known_zero & M64, mine.why)

    __rand__ = __and__

    def __or__(self, other: Value) -> Value:
        if self is other or (isinstance(other, int) and other == 0):
            return self
        if (both := _together(self, other, operator.or_)) is not None:
            return both
        mine, theirs = self.partial(), number(other)
        ones = mine.value | theirs.value
        return partial(ones, (mine.mask | theirs.mask) & ~ones, mine.why)

    __ror__ = __or__

    def __xor__(self, other: Value) -> Value:
        if isinstance(other, int) and other == 0:
            return self
        if (both := _together(self, other, operator.xor)) is not None:
            return both
        mine, theirs = self.partial(), number(other)
        mask = mine.mask | theirs.mask
        return partial((mine.value ^ theirs.value) & ~mask, mask, mine.why)

    __rxor__ = __xor__

    def __lshift__(self, count: Value) -> Value:
        return _shifted(self, exactly(count))

    def __rlshift__(self, other: int) -> Value:
        return Partial(other, 0, "") << self

    def __rshift__(self, count: Value) -> Value:
        return _shifted(self, -exactly(count))

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
        if _same(self, other):
            return True
        mine, theirs = self.partial(), number(other)
        both_known = ~(mine.mask | theirs.mask)
        if (mine.value ^ theirs.value) & both_known or mine.most < theirs.least or mine.least > theirs.most:
            return False
        raise Unpredictable(f"{UNDECIDED} {mine.why if mine.mask else theirs.why}")

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __lt__(self, other: Value) -> bool:
        mine, theirs = self.partial(), number(other)
        if mine.most < theirs.least:
            return True
        if mine.least >= theirs.most or _same(self, other):
            return False
        raise Unpredictable(f"{UNDECIDED} {mine.why if mine.mask else theirs.why}")

    def __gt__(self, other: Value) -> bool:
        mine, theirs = self.partial(), number(other)
        if mine.least > theirs.most:
            return True
        if mine.most <= theirs.least or _same(self, other):
            return False
        raise Unpredictable(f"{UNDECIDED} {mine.why if mine.mask else theirs.why}")

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
    nothing was computed from it. `cut` is what it was cut out of; `low` a number and how many low bits it shares with
    that one.
    """

    __slots__ = ("cut", "least", "low", "mask", "most", "source", "value", "why")

    def __init__(self, value: int, mask: int, why: str, source: Unknown | None = None, cut: Cut | None = None) -> None:
        self.cut = cut
        self.low: tuple[Symbolic, int] | None = None
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
        """Returns the value as a leaf of a prediction."""
        return self.source or Unknown(self.why, least=self.least, most=self.most)

    def __repr__(self) -> str:
        return f"Partial({self.value:#x}, mask={self.mask:#x}, {self.why!r})"


NEAR = 1 << 31
"""The distance in bytes from its region up to which an address never wraps around, wherever the region is."""


class Pointer(Symbolic):
    """The address of byte `offset` of `region`. Its number is unknown, but for its alignment and the half of the
    address space it is in; sums keep what it points to."""

    __slots__ = ("offset", "region")

    def __init__(self, region: Region, offset: int = 0) -> None:
        self.region = region
        self.offset = offset

    def partial(self) -> Partial:
        """Returns what is known of the address as a number. Far from its region not even the half of the address space
        is known; its alignment is."""
        address = partial_of(self.region.address) if self.near else unknown(self.region.address.why)
        aligned = self.region.alignment - 1
        mask = address.mask & ~aligned
        return Partial(address.value & ~aligned | self.offset & aligned, mask, address.why, address.source)

    @property
    def near(self) -> bool:
        """Returns whether the address is in the half of the address space that its region is in."""
        return abs(self.offset) < NEAR

    def __add__(self, other: Value) -> Value:
        return self.moved(other) if isinstance(other, int) else super().__add__(other)

    def moved(self, by: int) -> Pointer:
        """Returns the pointer `by` bytes further on."""
        return Pointer(self.region, signed64((self.offset + by) & M64))

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
        if isinstance(other, Pointer) and other.region is self.region and self.near and other.near:
            return self.offset < other.offset
        return super().__lt__(other)

    def __gt__(self, other: Value) -> bool:
        if isinstance(other, Pointer) and other.region is self.region and self.near and other.near:
            return self.offset > other.offset
        return super().__gt__(other)

    def __repr__(self) -> str:
        return f"Pointer({self.region.name}{self.offset:+d})"


def _cut_of(value: Symbolic) -> Cut:
    return value.cut if isinstance(value, Partial) and value.cut else Cut(value, M64, 0)


def _put_together(cut: Cut) -> Value:
    """Returns the number, with what is known of its bits; the whole again when it is all there."""
    if cut.bits == M64 and not cut.shift:
        return cut.whole
    known = cut.whole.partial()
    value, mask = cut.of(known.value), cut.of(known.mask)
    return Partial(value, mask, known.why, cut=cut) if mask else value


def _is(one: Symbolic, other: Symbolic) -> bool:
    """Returns whether both are the same number for sure, without a look at their bits."""
    if isinstance(one, Pointer) and isinstance(other, Pointer):
        return one.region is other.region and one.offset == other.offset
    return one is other


def _same(one: Symbolic, other: Value) -> bool:
    if not isinstance(other, Symbolic):
        return False
    mine, theirs = _cut_of(one), _cut_of(other)
    return mine[1:] == theirs[1:] and _is(mine.whole, theirs.whole)


def _together(one: Symbolic, other: Value, bits: Callable[[int, int], int], *, disjoint: bool = False) -> Value | None:
    """Returns two cuts of one number, put together bit by bit; None for any others."""
    if not isinstance(other, Symbolic):
        return None
    mine, theirs = _cut_of(one), _cut_of(other)
    if mine.shift != theirs.shift or not _is(mine.whole, theirs.whole) or (disjoint and mine.bits & theirs.bits):
        return None
    return _put_together(mine._replace(bits=bits(mine.bits, theirs.bits)))


def _difference(one: Symbolic, other: Symbolic) -> Value | None:
    """Returns what is left of a number when some of its own bits are taken away."""
    if _cut_of(other).bits & ~_cut_of(one).bits:
        return None
    return _together(one, other, lambda mine, theirs: mine & ~theirs)


def _masked(one: Symbolic, bits: int) -> Value:
    known = one.partial()
    if not (known.value | known.mask) & ~bits:
        return one
    if isinstance(one, Partial) and one.low and bits < 1 << one.low[1]:
        return one.low[0] & bits
    return _put_together(_cut_of(one).masked(bits))


def _shifted(one: Symbolic, left: int) -> Value:
    return _put_together(_cut_of(one).shifted(left)) if left else one


def _low_bits(value: Symbolic) -> tuple[Symbolic, int]:
    """Returns a number, and how many of its low bits are the low bits of `value`."""
    if isinstance(value, Partial) and value.low:
        return value.low
    cut = _cut_of(value)
    return (value, 64) if cut.shift else (cut.whole, trailing_zeros(~cut.bits & M64))


def _moved(result: Value, base: Symbolic, by: int) -> Value:
    """Returns `result`, which is `base + by`, where low bits of a pointer stay those of a pointer."""
    whole, bits = _low_bits(base)
    if isinstance(result, Partial) and isinstance(whole, Pointer) and bits:
        result.low = whole.moved(by), bits
    return result


def _close(result: Value, one: Symbolic, other: Symbolic) -> Value:
    """Returns `result`, which is `one - other`; low bits are known where both are low bits of pointers to one
    region."""
    (mine, few), (theirs, many) = _low_bits(one), _low_bits(other)
    if not (isinstance(mine, Pointer) and isinstance(theirs, Pointer) and mine.region is theirs.region):
        return result
    known = (1 << min(few, many)) - 1
    distance, rest = (mine.offset - theirs.offset) & known, number(result)
    return partial(rest.value & ~known | distance, rest.mask & ~known, rest.why)


def partial(value: int, mask: int, why: str) -> Value:
    """Returns a number with the bits of `mask` unknown; a plain int when there are none."""
    return Partial(value, mask, why) if mask else value


def partial_of(unknown: Unknown) -> Partial:
    """Returns a new number of which only `unknown` is known. High bits that its bounds determine are known bits."""
    least = unknown.least if unknown.least is not None else 0
    most = unknown.most if unknown.most is not None else M64
    mask = (1 << (least ^ most).bit_length()) - 1
    return Partial(least & ~mask, mask, unknown.why, unknown)


def unknown(why: str, bits: int = 64) -> Partial:
    """Returns a new number of which nothing is known but that it has `bits` bits."""
    return Partial(0, (1 << bits) - 1, why)


def number(value: Value) -> Partial:
    """Returns `value` as a partly known number; of an int, all bits are known."""
    return Partial(value, 0, "") if isinstance(value, int) else value.partial()


def exactly(value: Value) -> int:
    """Returns `value` when all of it is known; else raises Unpredictable."""
    if isinstance(value, int):
        return value
    raise Unpredictable(f"depends on {value.partial().why}")


def _below(most: int, why: str) -> Value:
    return partial(0, (1 << most.bit_length()) - 1, why)


def _by(operation: Callable[[Tnum, Tnum], Tnum], left: Partial, right: Partial) -> Value:
    value, mask = operation(Tnum(left.value, left.mask), Tnum(right.value, right.mask))
    return partial(value, mask, left.why if left.mask else right.why)
