# SPDX-License-Identifier: MIT
"""Helpers by which kprobe programs output data, and those of their maps: kernel/bpf/ringbuf.c, stackmap.c,
kernel/trace/bpf_trace.c."""

from __future__ import annotations

from collections.abc import Hashable

from harness.abi import bpf
from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps import EventArrayMap, RingBufferMap, StackTraceMap
from harness.model.maps.base import map_behind
from harness.model.maps.ring_buffer import Reserved
from harness.model.maps.stack_trace import DEEPEST, check_depth
from harness.model.memory import Context, Fault, Region
from harness.model.reading import buffer
from harness.model.value import M64, Pointer, Value, exactly, partial_of, unknown
from harness.script.outcome import KERNEL_ADDRESS, Unknown

READ_VALUE_SIZE = 24
"""sizeof(struct bpf_perf_event_value)."""


def ringbuf_output(_: Environment, map: Value, data: Value, size: Value, flags: Value, *__: Value) -> Value:
    """Returns 0, -EINVAL for unknown flags, or -EAGAIN when there is no room."""
    ring, source, nbytes = map_behind(map, RingBufferMap), buffer(data), exactly(size)
    if exactly(flags) & ~(bpf.RB_NO_WAKEUP | bpf.RB_FORCE_WAKEUP):
        raise Errno("EINVAL")
    record = ring.reserve(nbytes)
    if record is None:
        raise Errno("EAGAIN")
    record.copy(0, source.region, source.offset, nbytes)
    ring.give_back(record)
    return 0


def ringbuf_reserve(_: Environment, map: Value, size: Value, flags: Value, *__: Value) -> Value:
    """Returns the address of the record's data, 0 when there is no room or a flag is set."""
    ring = map_behind(map, RingBufferMap)
    record = None if exactly(flags) else ring.reserve(exactly(size))
    return 0 if record is None else Pointer(record)


def ringbuf_submit(_: Environment, record: Value, *__: Value) -> Value:
    given = _reserved(record)
    given.ring.give_back(given)
    return 0


def ringbuf_discard(_: Environment, record: Value, *__: Value) -> Value:
    given = _reserved(record)
    given.ring.give_back(given, discarded=True)
    return 0


def ringbuf_query(_: Environment, map: Value, flags: Value, *__: Value) -> Value:
    """Returns the bytes to consume, the size of the ring, or a position; 0 for unknown flags."""
    return map_behind(map, RingBufferMap).query(exactly(flags)) or 0


def perf_event_output(
    environment: Environment, _: Value, map: Value, flags: Value, data: Value, size: Value, *__: Value
) -> Value:
    """Returns 0, -EINVAL, -E2BIG, -ENOENT, -EOPNOTSUPP or -ENOSPC."""
    source, nbytes = buffer(data), exactly(size)
    payload = Region("a sample", nbytes)
    payload.copy(0, source.region, source.offset, nbytes)
    map_behind(map, EventArrayMap).event(environment, exactly(flags)).output(environment, payload)
    return 0


def perf_event_read(environment: Environment, map: Value, flags: Value, *_: Value) -> Value:
    """Returns the event's count, -EINVAL, -E2BIG or -ENOENT."""
    return map_behind(map, EventArrayMap).event(environment, exactly(flags)).count_here(environment)


def perf_event_read_value(
    environment: Environment, map: Value, flags: Value, to: Value, size: Value, *_: Value
) -> Value:
    """Returns 0, with the event's count and how long it was enabled and ran; or an errno as above, which clears the
    memory."""
    target, nbytes = buffer(to), exactly(size)
    try:
        if nbytes != READ_VALUE_SIZE:
            raise Errno("EINVAL")
        count = map_behind(map, EventArrayMap).event(environment, exactly(flags)).count_here(environment)
    except Errno:
        target.region.store_bytes(target.offset, bytes(nbytes))
        raise
    target.region.store(target.offset, 8, count)
    target.region.blur(target.offset + 8, 16, "how long a perf event was enabled and ran")
    return 0


def get_stackid(_: Environment, context: Value, map: Value, flags: Value, *__: Value) -> Value:
    """Returns the number of the call chain that led to the probe, -EINVAL, -EFAULT, -EEXIST or -ENOMEM."""
    return map_behind(map, StackTraceMap).number(_place(context), exactly(flags))


def get_stack(_: Environment, context: Value, to: Value, size: Value, flags: Value, *__: Value) -> Value:
    """Returns the call chain's length in bytes as far as it fits, with zeros behind; -EINVAL and -EFAULT clear the
    memory."""
    _place(context)
    target, nbytes, wanted = buffer(to), exactly(size), exactly(flags)
    if wanted & ~(bpf.F_SKIP_FIELD_MASK | bpf.F_USER_STACK) or nbytes % 8:
        target.region.store_bytes(target.offset, bytes(nbytes))
        raise Errno("EINVAL")
    if wanted & bpf.F_SKIP_FIELD_MASK > DEEPEST:
        target.region.store_bytes(target.offset, bytes(nbytes))
        raise Errno("EFAULT")
    check_depth(wanted)
    for at in range(0, nbytes, 8):
        address = partial_of(KERNEL_ADDRESS) if at == 0 else unknown("an address of a call chain, or 0 behind it")
        target.region.store(target.offset + at, 8, address)
    return partial_of(Unknown("the length of a call chain", least=8, most=nbytes)) & (M64 - 7)


def _reserved(value: Value) -> Reserved:
    if isinstance(value, Pointer) and isinstance(value.region, Reserved) and value.offset == 0:
        return value.region
    raise Fault("a helper was given something other than a reserved record")


def _place(context: Value) -> Hashable:
    """Returns what distinguishes the call chains that lead to contexts."""
    region = buffer(context).region
    return region.place if isinstance(region, Context) else region
