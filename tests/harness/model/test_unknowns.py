# SPDX-License-Identifier: MIT
"""Unknown values: whatever is claimed of a result holds for every concrete value, and masks keep what is known."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.model.memory import Region
from harness.model.signed import arithmetic_shift, sign_extend
from harness.model.unpredictable import Unpredictable
from harness.model.value import M64, Partial, Pointer, Value, exactly, number, partial_of, unknown
from harness.script.outcome import KERNEL_ADDRESS, Bytes, Piece, Unknown

words = st.one_of(st.sampled_from([0, 1, M64, 1 << 63, 0xFFFFFFFF]), st.integers(0, M64))


@st.composite
def partials(draw: st.DrawFn) -> tuple[Value, int]:
    """A value of which some bits are unknown, and what it is in truth."""
    truth, mask = draw(words), draw(words)
    return (Partial(truth, mask, "a test") if mask else truth), truth


def holds(claimed: Value, truth: int) -> bool:
    known = number(claimed)
    return (truth ^ known.value) & ~known.mask & M64 == 0 and known.least <= truth <= known.most


OPERATIONS: dict[str, Callable[[Value, Value], Value]] = {
    name: getattr(operator, name) for name in ("add", "sub", "mul", "and_", "or_", "xor")
}


@pytest.mark.parametrize("name", OPERATIONS)
@given(left=partials(), right=partials())
def test_operations_claim_only_what_is_true(name: str, left: tuple[Value, int], right: tuple[Value, int]) -> None:
    operation = OPERATIONS[name]
    result = operation(left[0], right[0])
    truth = operation(left[1], right[1])
    assert isinstance(truth, int)
    assert holds(result & M64, truth & M64)


@given(left=partials(), right=partials())
def test_divisions_claim_only_what_is_true(left: tuple[Value, int], right: tuple[Value, int]) -> None:
    if right[1] == 0:
        return
    assert holds(left[0] // right[0], left[1] // right[1])
    assert holds(left[0] % right[0], left[1] % right[1])


@given(left=partials(), count=st.integers(0, 63))
def test_shifts_claim_only_what_is_true(left: tuple[Value, int], count: int) -> None:
    value, truth = left
    assert holds(value << count & M64, truth << count & M64)
    assert holds(value >> count, truth >> count)
    signed = truth - (1 << 64) if truth >> 63 else truth
    assert holds(arithmetic_shift(value, count, 64), signed >> count & M64)


@given(left=partials(), bits=st.sampled_from([8, 16, 32]))
def test_sign_extension_claims_only_what_is_true(left: tuple[Value, int], bits: int) -> None:
    value, truth = left
    low = truth & (1 << bits) - 1
    assert holds(sign_extend(value, bits), (low - (1 << bits) if low >> bits - 1 else low) & M64)


@given(left=partials(), right=partials())
def test_comparisons_are_right_or_undecided(left: tuple[Value, int], right: tuple[Value, int]) -> None:
    for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        try:
            decided = compare(left[0], right[0])
        except Unpredictable:
            continue
        assert decided == compare(left[1], right[1])


def test_masks_keep_what_is_known() -> None:
    argument = Partial(0x7FFF0001, 0xFFFFFFFF << 32, "the upper half")
    assert argument & 0xFFFFFFFF == 0x7FFF0001
    assert isinstance(argument & 0xFFFFFFFF, int)
    assert argument << 32 & M64 == 0x7FFF0001 << 32
    assert argument + 1 & 0xFFFF == 2
    assert argument | M64 == M64


def test_an_undecided_comparison_names_the_source() -> None:
    with pytest.raises(Unpredictable, match="the moon"):
        _ = unknown("the moon") == 0
    with pytest.raises(Unpredictable, match="the moon"):
        exactly(unknown("the moon"))


def test_one_unknown_equals_itself_and_no_other() -> None:
    clock, later = unknown("a clock"), unknown("a clock")
    assert clock == clock
    assert clock - clock == 0 and clock ^ clock == 0
    with pytest.raises(Unpredictable):
        _ = clock == later


def test_bounds_decide_comparisons() -> None:
    address = partial_of(KERNEL_ADDRESS)
    assert address != 0
    assert address > 4096
    assert partial_of(Unknown("a CPU", least=0, most=3)) < 4


def test_pointers_keep_what_they_point_to_through_sums_and_memory() -> None:
    region, stack = Region("a map value", 8, bytes(8)), Region("the stack", 16)
    pointer = Pointer(region)
    assert pointer != 0
    there = pointer + 6 - 2
    assert isinstance(there, Pointer) and there.region is region and there.offset == 4
    assert there - pointer == 4
    stack.store(8, 8, there)
    assert stack.load(8, 8) is there
    assert isinstance(pointer & 0xFFFFFFFF, Partial)


def test_unknown_bytes_of_memory_become_pieces() -> None:
    region = Region("a map value", 24, bytes(24))
    region.store(0, 8, unknown("a clock"))
    region.store(8, 8, Pointer(region))
    region.store(16, 4, unknown("a random number", bits=32))
    region.store(18, 1, 7)
    prediction = region.prediction()
    assert isinstance(prediction, Bytes)
    assert [(piece.offset, piece.size) for piece in prediction.unknown] == [(0, 8), (8, 8), (16, 2), (19, 1)]
    assert prediction.unknown[1] == Piece(8, 8, KERNEL_ADDRESS)
    image = bytes(8) + (1 << 63).to_bytes(8, "little") + b"\1\2\7\4" + bytes(4)
    assert prediction.admits(image, {})
    assert not prediction.admits(bytes(24), {})


def test_parts_of_an_unknown_value_are_read_as_its_parts() -> None:
    region = Region("the stack", 16)
    region.store(0, 8, Partial(0x1122_0000_5566, 0xFFFF_0000_FFFF_0000, "the middle"))
    assert region.load(0, 2) == 0x5566
    assert region.load(4, 2) == 0x1122
    assert isinstance(region.load(0, 4), Partial)
    with pytest.raises(Unpredictable, match="stack nobody wrote"):
        Region("the stack", 8, garbage="stack nobody wrote").known(0, 1)


@given(writes=st.lists(st.tuples(st.integers(0, 31), st.sampled_from([1, 2, 4, 8]), partials()), max_size=12))
def test_memory_claims_only_what_is_true(writes: list[tuple[int, int, tuple[Value, int]]]) -> None:
    region, truth = Region("memory", 40, bytes(40)), bytearray(40)
    for offset, size, (value, concrete) in writes:
        region.store(offset, size, value)
        truth[offset : offset + size] = (concrete & (1 << 8 * size) - 1).to_bytes(size, "little")
    for size in (1, 2, 4, 8):
        for offset in range(40 - size):
            assert holds(region.load(offset, size), int.from_bytes(truth[offset : offset + size], "little"))
    prediction = region.prediction()
    assert prediction.admits(bytes(truth), {}) if isinstance(prediction, Bytes) else prediction == truth
