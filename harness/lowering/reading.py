# SPDX-License-Identifier: MIT
"""Reading perf events: the ring buffer's records, and the count."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from harness.abi import perf
from harness.lowering.context import Lowering, Reader, Ring, Sampling, returned
from harness.script.operations import ReadCount, ReadRing, SampleType
from harness.script.outcome import Lost, Other, Outcome, Record, Sample
from hil.agent.results import BatchResult

HEADER = 8
"""sizeof(struct perf_event_header)."""


def read_count(lowering: Lowering, operation: ReadCount) -> Reader:
    counter = lowering.builder.alloc(8)
    call = lowering.call("read", lowering.operand(operation.event), counter, 8)
    count = lowering.builder.load(counter, 8)

    def read(results: BatchResult) -> Outcome:
        outcome = returned(call)(results)
        return outcome if outcome.errno else Outcome(value=results.done(count).unsigned)

    return read


def read_ring(lowering: Lowering, operation: ReadRing) -> Reader:
    """Copies the bytes between tail and head, then moves the tail; the value is the number of records.

    EBADF when the ring could not be mapped, was unmapped, or is the parent's: there is no system call here that would
    fail itself, and reading memory that is not mapped kills the process.
    """
    ring = lowering.mappings.get(operation.ring.name)
    if not isinstance(ring, Ring):
        return lambda _: Outcome(errno="EBADF")
    with lowering.builder.unless_failed(ring.mapped):  # mmap(2) may have left a hole there
        tail = lowering.builder.load(ring.start + perf.RING_DATA_TAIL, 8)
        head = lowering.builder.load(ring.start + perf.RING_DATA_HEAD, 8)
        content = lowering.builder.read(ring.data, head, ring.size)
        lowering.builder.store(ring.start + perf.RING_DATA_TAIL, 8, head)

    def read(results: BatchResult) -> Outcome:
        if ring.failed(results):
            return Outcome(errno="EBADF")
        window = between(
            results.done(content).data, results.done(tail).unsigned, results.done(head).unsigned, ring.size
        )
        records = tuple(_records(window, ring))
        return Outcome(value=len(records), records=records)

    return read


def between(data: bytes, tail: int, head: int, size: int) -> bytes:
    """Returns the bytes from `tail` to `head`, which never wrap, of a buffer of `size` bytes that wraps."""
    if head - tail == 0:
        return b""
    first, last = tail % size, head % size
    return data[first:last] if first < last else data[first:] + data[:last]


def _records(window: bytes, ring: Ring) -> Iterator[Record]:
    """Yields every record, also those that no script asks for: the kernel writes none that the model would not
    predict."""
    position = 0
    while position < len(window):
        kind, _misc, size = struct.unpack_from("<IHH", window.ljust(position + HEADER, b"\0"), position)
        if size < HEADER or position + size > len(window):
            yield Other(kind)  # it is cut off, and where the next one begins is unknown
            return
        yield _record(kind, window[position + HEADER : position + size], ring.sampling)
        position += size


def _record(kind: int, body: bytes, sampling: Sampling) -> Record:
    try:
        if kind == perf.RECORD_SAMPLE:
            return _sample(body, sampling)
        if kind == perf.RECORD_LOST:
            return Lost(count=struct.unpack_from("<QQ", body)[1])
    except struct.error:
        pass  # shorter than its kind
    return Other(kind)


def _sample(body: bytes, sampling: Sampling) -> Sample:
    """Parses a sample, whose fields come in the order of the kernel's perf_output_sample(), kernel/events/core.c."""
    fields: dict[str, int] = {}
    payload: bytes | None = None
    sample_type = sampling.type
    position = 0

    def take(layout: str) -> tuple[int, ...]:
        nonlocal position
        values = struct.unpack_from(layout, body, position)
        position += struct.calcsize(layout)
        return values

    if SampleType.IP in sample_type:
        (fields["ip"],) = take("<Q")
    if SampleType.TID in sample_type:
        fields["pid"], fields["tid"] = take("<II")
    if SampleType.TIME in sample_type:
        (fields["time"],) = take("<Q")
    for unread in (SampleType.ADDR, SampleType.ID, SampleType.STREAM_ID):
        if unread in sample_type:
            take("<Q")
    if SampleType.CPU in sample_type:
        fields["cpu"], _ = take("<II")
    if SampleType.PERIOD in sample_type:
        (fields["period"],) = take("<Q")
    if SampleType.RAW in sample_type and sampling.output:
        (length,) = take("<I")
        (payload,) = struct.unpack_from(f"{length}s", body, position)
    elif SampleType.RAW in sample_type:
        # u32 size, then struct kprobe_trace_entry_head: the common fields (8 bytes) and the probe's address.
        _, fields["trace_event"], _, _, fields["common_pid"], fields["probe_ip"] = take("<IHBBIQ")
    return Sample(**fields, raw=payload)
