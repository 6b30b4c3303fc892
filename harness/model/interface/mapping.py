# SPDX-License-Identifier: MIT
"""mmap(2) and munmap(2) of perf events and of maps, and reading the mapped memory.

kernel/events/core.c: perf_mmap(); kernel/bpf/syscall.c: bpf_map_mmap(); kernel/bpf/ringbuf.c: ringbuf_map_mmap().
"""

from __future__ import annotations

from harness.abi.bpf import MapFlag
from harness.model.errno import NOT_SUPPORTED, Errno
from harness.model.interface import permissions
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import BufferMapping, Mapping, PerfEvent, Ring, RingMapping
from harness.model.interface.perf import event_of
from harness.model.maps import Map, RingBufferMap
from harness.model.unpredictable import Unpredictable
from harness.script.operations import MapPages, MapRing, MapRingBuffer, MapType, ReadRing, ReadRingBuffer, Unmap
from harness.script.outcome import Outcome
from harness.script.reason import Gap


def map_ring(kernel: Kernel, operation: MapRing) -> Outcome:
    """Maps one control page and a power of two of data pages; a second mapping must have the first one's size."""
    file, pages = kernel.names.file(operation.event), operation.data_pages
    if isinstance(file.content, Map):
        _check_map(kernel, file.content, first=0, count=1 + pages, writable=True)
        raise Unpredictable("what a map's memory holds, read as a ring of samples")
    event = event_of(kernel, operation.event, otherwise="ENODEV")
    size = pages * kernel.environment.page_size
    if pages & (pages - 1):
        raise Errno("EINVAL")
    if event.ring_doubt:
        raise Unpredictable(event.ring_doubt)
    if event.ring and event.ring.size != size:
        raise Errno("EINVAL")
    if isinstance(event, PerfEvent) and event.inherit and event.cpu == -1:
        raise Errno("EINVAL")  # RB-02
    if event.ring is None:
        permissions.lock_ring(kernel, pages + 1)
    event.ring = event.ring or Ring(size)
    event.ring.mappings += 1
    file.references += 1
    kernel.names.put(operation.name, RingMapping(file, event=event, ring=event.ring))
    return Outcome(value=0)


def read_ring(kernel: Kernel, operation: ReadRing) -> Outcome:
    mapping = kernel.names.mapping(operation.ring.name, RingMapping)
    if mapping.event.why_unknown:
        raise Unpredictable(mapping.event.why_unknown)
    records = mapping.ring.drain()
    return Outcome(value=len(records), records=records)


def map_ring_buffer(kernel: Kernel, operation: MapRingBuffer) -> Outcome:
    """Maps a ring buffer map; only the consumer's page may be written to."""
    file = kernel.names.file(operation.map)
    if not isinstance(file.content, Map):
        event_of(kernel, operation.map, otherwise="ENODEV")
        raise Unpredictable("an event mapped as a ring buffer map")
    _check_map(kernel, file.content, first=0, count=1, writable=True)
    pages = -(-operation.size // kernel.environment.page_size)
    _check_map(kernel, file.content, first=1, count=1 + 2 * pages, writable=False)
    if not isinstance(file.content, RingBufferMap) or operation.size != file.content.max_entries:
        raise Unpredictable("the memory of a map that is no ring buffer, read as one")
    file.references += 1
    kernel.names.put(operation.name, BufferMapping(file, map=file.content))
    return Outcome(value=0)


def read_ring_buffer(kernel: Kernel, operation: ReadRingBuffer) -> Outcome:
    mapping = kernel.names.mapping(operation.buffer.name, BufferMapping)
    records = mapping.map.consume()
    return Outcome(value=len(records), records=records)


def map_pages(kernel: Kernel, operation: MapPages) -> Outcome:
    """Maps pages of a map; raises the Errno of its mmap(2), and Unpredictable for what is no map."""
    content = kernel.names.file(operation.descriptor).content
    if not isinstance(content, Map):
        event_of(kernel, operation.descriptor, otherwise="ENODEV")
        raise Unpredictable("which pages of a perf event may be mapped", Gap.INPUT)
    _check_map(kernel, content, operation.first, operation.count, operation.writable)
    return Outcome(value=0)


def unmap(kernel: Kernel, operation: Unmap) -> Outcome:
    """Removes a mapping; raises Errno EBADF when there is nothing to unmap."""
    kernel.names.unmap(kernel.names.mapping(operation.ring.name, Mapping))
    return Outcome(value=0)


def _check_map(kernel: Kernel, map: Map, first: int, count: int, writable: bool) -> None:
    """bpf_map_mmap(), array_map_mmap() and ringbuf_map_mmap(): raises Errno ENODEV, EINVAL, EPERM, EACCES, ENOTSUPP."""
    if count < 1:
        raise Errno("EINVAL")
    permissions.share(map, writable=writable)
    if not kernel.rules.maps.array_mmap:
        raise Errno("ENODEV")
    if isinstance(map, RingBufferMap):
        if writable and (map.frozen or (first, count) != (0, 1)):
            raise Errno("EPERM")
        if first + count > 2 + 2 * map.max_entries // kernel.environment.page_size:
            raise Errno("EINVAL")
    elif map.type != MapType.ARRAY:
        raise Errno(NOT_SUPPORTED)
    elif map.flags & MapFlag.RDONLY:
        raise Errno("EINVAL")  # do_mmap() takes VM_SHARED from what can never be written to
    elif writable and (map.frozen or map.flags & MapFlag.RDONLY_PROG):
        raise Errno("EPERM" if map.frozen else "EACCES")
    else:
        page = kernel.environment.page_size
        pages = -(-map.max_entries * (-(-map.value_size // 8) * 8) // page)
        if not map.flags & MapFlag.MMAPABLE or first + count > pages:
            raise Errno("EINVAL")
