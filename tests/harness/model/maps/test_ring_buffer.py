# SPDX-License-Identifier: MIT
"""Ring buffers: whatever is appended and consumed, a consumer that parses the memory finds what the model says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.lowering.reading import between
from harness.lowering.ring_buffers import records
from harness.model.errno import Errno
from harness.model.maps import RingBufferMap, allocate
from harness.model.maps.ring_buffer import Reserved
from harness.model.memory import Fault
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap, MapType
from harness.script.outcome import Message
from tests.harness.model.running import environment

SIZE = 4096


def ring(size: int = SIZE) -> RingBufferMap:
    made = allocate(environment("6.1"), CreateMap("m", MapType.RINGBUF, 0, 0, size))
    assert isinstance(made, RingBufferMap)
    return made


def reserved(of: RingBufferMap, size: int) -> Reserved:
    record = of.reserve(size)
    assert record is not None
    return record


def append(to: RingBufferMap, content: bytes, *, discarded: bool = False) -> bool:
    record = to.reserve(len(content))
    if record is None:
        return False
    record.store_bytes(0, content)
    to.give_back(record, discarded=discarded)
    return True


actions = st.lists(st.one_of(st.none(), st.tuples(st.binary(max_size=1500), st.booleans())), max_size=30)


@given(actions=actions)
def test_memory_holds_what_a_consumer_is_predicted_to_find(actions: list[tuple[bytes, bool] | None]) -> None:
    buffer, waiting = ring(2 * SIZE), list[tuple[bytes, bool]]()
    for action in (*actions, None):
        if action is not None:
            content, discarded = action
            length = 8 + len(content) + -len(content) % 8
            fits = buffer.produced + length - buffer.consumed < 2 * SIZE
            assert append(buffer, content, discarded=discarded) is fits
            waiting += [action] if fits else []
            continue
        memory = buffer._data.known(0, 2 * SIZE)
        parsed = tuple(records(between(memory, buffer.consumed, buffer.produced, 2 * SIZE)))
        found = buffer.consume()
        assert found == parsed
        assert [(one.data, one.discarded) for one in found] == waiting
        waiting.clear()


def test_the_producer_never_catches_up_with_the_consumer() -> None:
    buffer = ring()
    assert buffer.reserve(SIZE - 8) is None
    assert buffer.reserve(SIZE - 16) is not None
    assert buffer.reserve(0) is None


def test_a_record_holds_what_lay_there() -> None:
    buffer = ring()
    assert append(buffer, b"a" * (SIZE - 16))
    buffer.consume()
    buffer.give_back(reserved(buffer, 24))
    (message,) = buffer.consume()
    # Eight bytes were left at the end, for the header; the data begins where the old record's header is.
    assert message == Message(b"\xf0\x0f\0\0" + b"\x03\0\0\0" + b"a" * 16, 3)


def test_records_appear_in_the_order_of_their_reservation() -> None:
    buffer = ring()
    first, second = reserved(buffer, 1), reserved(buffer, 2)
    buffer.give_back(second)
    buffer.give_back(first)
    assert [len(one.data) for one in buffer.consume() if isinstance(one.data, bytes)] == [1, 2]


def test_a_record_is_given_back_once() -> None:
    buffer = ring()
    record = reserved(buffer, 8)
    buffer.give_back(record)
    with pytest.raises(Fault):
        buffer.give_back(record)


def test_what_can_be_asked() -> None:
    buffer = ring()
    append(buffer, b"12345678")
    buffer.consume()
    append(buffer, b"")
    assert [buffer.query(what) for what in range(5)] == [8, SIZE, 16, 24, None]


def test_a_later_flag_is_not_taken_for_an_unknown_one() -> None:
    wanted = CreateMap("m", MapType.RINGBUF, 0, 0, SIZE, 1 << 19)
    with pytest.raises(Errno, match="EINVAL"):
        allocate(environment("6.12"), wanted)
    with pytest.raises(Unpredictable):
        allocate(environment("7.2"), wanted)


def test_a_distrusted_ring_is_not_predicted() -> None:
    buffer = ring()
    buffer.distrust("a test")
    for action in (buffer.consume, lambda: buffer.reserve(1), lambda: buffer.query(0), buffer.stored):
        with pytest.raises(Unpredictable, match="a test"):
            action()
