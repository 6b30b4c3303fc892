# SPDX-License-Identifier: MIT
"""Consuming maps of type RINGBUF: mmap(2), positions, records; kernel/bpf/ringbuf.c."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from harness.abi import bpf
from harness.abi.numbers import MAP_FIXED, MAP_SHARED, PROT_READ, PROT_WRITE
from harness.lowering.context import Lowering, Reader, RingBuffer, first_failure
from harness.lowering.reading import between
from harness.script.operations import MapPages, MapRingBuffer, ReadRingBuffer
from harness.script.outcome import Message, Other, Outcome, Record
from hil.agent.results import BatchResult


def map_ring_buffer(lowering: Lowering, operation: MapRingBuffer) -> Reader:
    page = lowering.guest.page_size
    length = 2 * page + 2 * operation.size
    start = lowering.builder.alloc(length, align=page)
    map = lowering.operand(operation.map)
    written = lowering.call("mmap", start, page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, map, 0)
    with lowering.builder.unless_failed(written):  # or only half of it would be there
        mapped = lowering.call("mmap", start + page, length - page, PROT_READ, MAP_SHARED | MAP_FIXED, map, page)
    buffer = RingBuffer(mapped, start, length, start + page, start + 2 * page, operation.size)
    lowering.map_over(operation.name, buffer)
    return first_failure([written, mapped], value=0)


def read_ring_buffer(lowering: Lowering, operation: ReadRingBuffer) -> Reader:
    """Copies the bytes between both positions, then moves the consumer's; the value is the number of records.

    EBADF when the buffer is not mapped, as in `harness.lowering.reading.read_ring`.
    """
    buffer = lowering.mappings.get(operation.buffer.name)
    if not isinstance(buffer, RingBuffer):
        return lambda _: Outcome(errno="EBADF")
    with lowering.builder.unless_failed(buffer.mapped):
        consumed = lowering.builder.load(buffer.start, 8)
        produced = lowering.builder.load(buffer.producer, 8)
        content = lowering.builder.read(buffer.data, produced, buffer.size)
        lowering.builder.store(buffer.start, 8, produced)

    def read(results: BatchResult) -> Outcome:
        if buffer.failed(results):
            return Outcome(errno="EBADF")
        positions = results.done(consumed).unsigned, results.done(produced).unsigned
        found = tuple(records(between(results.done(content).data, *positions, buffer.size)))
        return Outcome(value=len(found), records=found)

    return read


def records(window: bytes) -> Iterator[Record]:
    """Yields every record from a header of u32 length (with two bits of state) and u32 pg_off on, aligned to 8 bytes. A
    record that is not committed when no program runs, or that is cut off, ends the list."""
    position = 0
    while position < len(window):
        if len(window) - position < bpf.RINGBUF_HDR_SZ:
            yield Other(0)
            return
        head, page = struct.unpack_from("<II", window, position)
        size = head & ~(bpf.RINGBUF_BUSY_BIT | bpf.RINGBUF_DISCARD_BIT)
        start = position + bpf.RINGBUF_HDR_SZ
        if head & bpf.RINGBUF_BUSY_BIT or start + size > len(window):
            yield Other(head)
            return
        yield Message(window[start : start + size], page, bool(head & bpf.RINGBUF_DISCARD_BIT))
        position = start + size + -size % 8


def map_pages(lowering: Lowering, operation: MapPages) -> Reader:
    page = lowering.guest.page_size
    protection = PROT_READ | PROT_WRITE if operation.writable else PROT_READ
    length = operation.count * page
    where = lowering.builder.alloc(length, align=page)
    descriptor, offset = lowering.operand(operation.descriptor), operation.first * page
    mapped = lowering.call("mmap", where, length, protection, MAP_SHARED | MAP_FIXED, descriptor, offset)
    with lowering.builder.unless_failed(mapped):
        lowering.call("munmap", where, length)
    return first_failure([mapped], value=0)
