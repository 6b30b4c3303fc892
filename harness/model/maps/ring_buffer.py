# SPDX-License-Identifier: MIT
"""BPF_MAP_TYPE_RINGBUF, since 5.8: kernel/bpf/ringbuf.c.

Programs append records, a consumer takes them from mapped memory. A position counts bytes and never wraps; its offset
in the ring is its remainder by the size. A record is a header of 8 bytes, the u32 length with two bits of state and the
u32 page offset, then the data, and takes a multiple of 8 bytes.
"""

from __future__ import annotations

from harness.abi import bpf
from harness.model.environment import Environment
from harness.model.errno import NOT_SUPPORTED, Errno
from harness.model.maps.base import Map
from harness.model.maps.limits import check_flags, check_memory
from harness.model.memory import Fault, Region
from harness.model.unpredictable import Unpredictable
from harness.model.value import Value
from harness.script.operations import CreateMap, MapType, UpdateFlag
from harness.script.outcome import Message
from harness.script.reason import Gap

PAGES_BEFORE_DATA = 3
"""The page that pg_off counts from: after a page of `struct bpf_ringbuf`, the consumer's and the producer's."""
LARGEST_RECORD = 0xFFFFFFFF // 4


class Reserved(Region):
    """The data of a record that is reserved and not yet submitted or discarded; `position` is its header's."""

    __slots__ = ("given_back", "position", "ring")

    def __init__(self, ring: RingBufferMap, position: int, size: int) -> None:
        super().__init__("a reserved record", size, bytes(size))
        self.ring = ring
        self.position = position
        self.given_back = False


class RingBufferMap(Map):
    """A ring buffer with `max_entries` bytes of data. Memory is reused as it is: a reserved record holds what lay there
    before."""

    def __init__(self, size: int, page_size: int = 4096) -> None:
        super().__init__(MapType.RINGBUF, 0, 0, size)
        self._page_size = page_size
        self.produced = 0
        self.consumed = 0
        self._data = Region("a ring buffer", size, bytes(size), alignment=8)
        self._messages: list[tuple[int, int, bool]] = []
        """Position, size, and whether it was discarded, of records that are not consumed yet."""

    def lookup(self, key: bytes, cpu: int = 0) -> Region | None:
        raise Errno(NOT_SUPPORTED)

    def update(self, key: bytes, value: Region, offset: int, flags: int, cpu: int = 0) -> None:
        if flags & bpf.F_LOCK:
            raise Errno("EINVAL")
        if flags > UpdateFlag.EXIST:
            raise Unpredictable("which flags of an update are looked at first", Gap.ORDER)
        raise Errno(NOT_SUPPORTED)

    def delete(self, key: bytes) -> None:
        raise Errno(NOT_SUPPORTED)

    def following(self, key: bytes | None) -> tuple[bytes, ...]:
        raise Errno(NOT_SUPPORTED)

    def stored(self) -> tuple[tuple[bytes, Region], ...]:
        """Returns records that are not consumed yet, by position."""
        self._certain()
        return tuple(
            (position.to_bytes(8, "little"), self._copy(position, size)) for position, size, _ in self._messages
        )

    def reserve(self, size: int) -> Reserved | None:
        """__bpf_ringbuf_reserve(): returns None when there is no room. The producer never catches up with the consumer,
        so one byte at least stays free."""
        self._certain()
        length = _whole(size)
        if size > LARGEST_RECORD or self.produced + length - self.consumed >= self.max_entries:
            return None
        record = Reserved(self, self.produced, size)
        self._put(self.produced, 8, self._header(self.produced, size | bpf.RINGBUF_BUSY_BIT))
        self._take(record)
        self.produced += length
        return record

    def give_back(self, record: Reserved, *, discarded: bool = False) -> None:
        """bpf_ringbuf_commit()."""
        if record.given_back:
            raise Fault("a record was submitted or discarded twice")
        record.given_back = True
        for at in range(record.size):
            self._data.copy((record.position + 8 + at) % self.max_entries, record, at, 1)
        state = bpf.RINGBUF_DISCARD_BIT if discarded else 0
        self._put(record.position, 8, self._header(record.position, record.size | state))
        self._messages.append((record.position, record.size, discarded))
        self._messages.sort()

    def query(self, flags: int) -> int | None:
        """bpf_ringbuf_query(): returns what BPF_RB_AVAIL_DATA and its kin ask for, None for unknown flags."""
        self._certain()
        answers = (self.produced - self.consumed, self.max_entries, self.consumed, self.produced)
        return answers[flags] if flags < len(answers) else None

    def consume(self) -> tuple[Message, ...]:
        """Returns all records; the consumer's position moves up to the producer's."""
        self._certain()
        taken = tuple(
            Message(self._copy(position, size).prediction(), self._page(position), discarded)
            for position, size, discarded in self._messages
        )
        self._messages.clear()
        self.consumed = self.produced
        return taken

    def _copy(self, position: int, size: int) -> Reserved:
        record = Reserved(self, position, size)
        self._take(record)
        return record

    def _take(self, record: Reserved) -> None:
        for at in range(record.size):
            record.copy(at, self._data, (record.position + 8 + at) % self.max_entries, 1)

    def _put(self, position: int, size: int, value: Value) -> None:
        self._data.store(position % self.max_entries, size, value)

    def _header(self, position: int, length: int) -> int:
        return self._page(position) << 32 | length

    def _page(self, position: int) -> int:
        return PAGES_BEFORE_DATA + position % self.max_entries // self._page_size


def create_ring_buffer(environment: Environment, wanted: CreateMap) -> RingBufferMap:
    """ringbuf_map_alloc(): raises Errno EINVAL."""
    check_flags(environment, wanted)
    size, page = wanted.max_entries, environment.page_size
    if wanted.key_size or wanted.value_size or size == 0 or size & (size - 1) or size % page:
        raise Errno("EINVAL")
    check_memory(environment, size)
    return RingBufferMap(size, page)


def _whole(size: int) -> int:
    """Returns how many bytes of the ring a record with `size` bytes of data takes."""
    return (size + 8 + 7) & ~7
