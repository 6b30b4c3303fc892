# SPDX-License-Identifier: MIT
"""What is known of numbers that were computed from pointers is true, wherever memory lies."""

from __future__ import annotations

import operator

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.model.value import M32, M64, Partial, Pointer, Value, number

OPERATIONS = (operator.add, operator.sub, operator.and_, operator.or_, operator.xor, operator.mul)
COMPARISONS = (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge)
NUMBERS = st.sampled_from((0, 1, 7, 8, 0xFF, 1 << 31, M32, M32 + 1, M64 - 7, M64)) | st.integers(0, M64)
STEPS = st.tuples(
    st.sampled_from((*OPERATIONS, "shift")), st.integers(0, 63), st.integers(0, 63), NUMBERS | st.none(), st.booleans()
)
"""An operation, its operands by their place, a number in the second one's place, and whether 32 bits are kept."""


def computed(values: list[Value], steps: list[tuple[object, int, int, int | None, bool]]) -> list[Value]:
    values = list(values)
    for operation, one, other, constant, low in steps:
        left = values[one % len(values)]
        right: Value = values[other % len(values)] if constant is None else constant
        if low:
            left, right = left & M32, right & M32
        if operation == "shift":
            count = other
            result = (left << count) & M64 if constant is None or constant & 1 else left >> count
        else:
            result = operation(left, right) & M64  # type: ignore[operator]
        values.append(result & M32 if low else result)
    return values


def address(pointer: Pointer, bases: dict[Region, int]) -> int:
    return (bases[pointer.region] + pointer.offset) & M64


@given(
    st.lists(STEPS, max_size=12),
    st.lists(st.integers(0xFFFF_8000_0000_0000 >> 3, (M64 - (1 << 33)) >> 3), min_size=2, max_size=2),
)
@settings(max_examples=400, deadline=None)
def test_what_is_known_of_addresses_is_true_of_all_of_them(steps: list, places: list[int]) -> None:  # type: ignore[type-arg]
    stack, element = Region("the stack", 512, alignment=8), Region("a map value", 16, alignment=8)
    bases = {stack: places[0] << 3, element: places[1] << 3}
    symbols: list[Value] = [Pointer(stack, 512), Pointer(element), Pointer(element, 8)]
    said = computed(symbols, steps)
    real = computed([address(one, bases) for one in symbols if isinstance(one, Pointer)], steps)
    for one, concrete in zip(said, real, strict=True):
        assert isinstance(concrete, int)
        if isinstance(one, Pointer):
            assert address(one, bases) == concrete
        elif isinstance(one, Partial):
            assert not (one.value ^ concrete) & ~one.mask
            assert one.least <= concrete <= one.most
            assert one.value & one.mask == 0
        else:
            assert one == concrete
    for one, concrete in zip(said, real, strict=True):
        for other, its in zip(said, real, strict=True):
            for compare in COMPARISONS:
                try:
                    known = compare(one, other)
                except Unpredictable:
                    continue
                assert known == compare(concrete, its)


def frame() -> Pointer:
    return Pointer(Region("the stack", 512, alignment=8), 512)


def test_an_address_is_as_aligned_as_its_memory() -> None:
    assert frame() & 7 == 0
    assert (frame() + 3) & 7 == 3
    assert number(frame() & 0xFF).mask == 0xF8


def test_low_half_minus_itself_is_nothing() -> None:
    pointer = frame()
    assert pointer - ((pointer << 32) >> 32) & M32 == 0
    assert (pointer & M32) - (pointer & M32) == 0


def test_both_halves_are_the_pointer_again() -> None:
    pointer = frame()
    low, high = (pointer << 32) >> 32, (pointer >> 32) << 32
    for whole in (low | high, low + high, high ^ low):
        assert isinstance(whole, Pointer)
        assert whole.region is pointer.region
        assert whole.offset == pointer.offset


def test_distances_are_known_to_as_many_bits_as_are_left() -> None:
    pointer = frame()
    assert (((pointer + 8) & M32) - (pointer & M32)) & M32 == 8
    assert (((pointer & M32) + 8) & M32) - ((pointer + 8) & M32) == 0


def test_an_address_far_from_its_memory_may_be_anywhere() -> None:
    assert number(frame() + (1 << 62)).mask >> 63 == 1
