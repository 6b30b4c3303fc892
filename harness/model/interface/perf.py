"""perf_event_open(2) on trace events, and what is done with the descriptor: kernel/events/core.c."""

from __future__ import annotations

from harness.model.errno import Errno
from harness.model.interface import attach as attaching
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import File, Mapping, PerfEvent, PlainFile, Ring, TraceEvent
from harness.model.maps import Map
from harness.model.value import Unpredictable
from harness.script.operations import (
    Attach,
    Descriptor,
    Disable,
    Enable,
    MapRing,
    MapType,
    OpenEvent,
    ReadCount,
    ReadRing,
    Ref,
    SampleType,
    Unmap,
)
from harness.script.outcome import DESCRIPTOR, Outcome

PAGE_SIZE = 4096
"""Of all kernels in the matrix."""
MOST_PIDS = 1 << 22
"""PID_MAX_LIMIT of 64 bit kernels, include/linux/threads.h."""
MOST_TRACE_EVENTS = (1 << 16) - 1
KNOWN_SAMPLES = sum(SampleType)
MOST_CERTAIN_PAGES = 128
"""Data pages that perf_event_mlock_kb (516) allows in any case."""


def open_event(kernel: Kernel, operation: OpenEvent) -> Outcome:
    """The order of PEO-01: period, task, CPU, then the trace event."""
    trace_event = _trace_event(kernel, operation.config)
    if int(operation.sample_type) & ~KNOWN_SAMPLES:
        raise Unpredictable("the model does not know all bits of the sample type")
    if not kernel.environment.privileged:
        _check_unprivileged(kernel, operation)
    if operation.sample_period & 1 << 63:
        raise Errno("EINVAL")
    if operation.pid < -1 or operation.pid > MOST_PIDS:
        raise Errno("ESRCH")
    if operation.pid > 1:
        raise Unpredictable("the model does not know what other tasks there are")
    if operation.cpu >= kernel.environment.cpus or operation.cpu < -1 or (operation.pid == operation.cpu == -1):
        raise Errno("EINVAL")
    if trace_event is None or trace_event.removed:
        raise Errno("EINVAL")
    event = PerfEvent(
        trace_event,
        SampleType(operation.sample_type),
        operation.sample_period,
        counts=operation.pid != 1,
        enabled=not operation.disabled,
        period_left=_period_left(kernel, operation.sample_period),
        doubt=_doubt(kernel, operation, trace_event),
    )
    trace_event.events.append(event)
    kernel.names.open(operation.name, event)
    return Outcome(value=DESCRIPTOR)


def attach(kernel: Kernel, operation: Attach) -> Outcome:
    event = kernel.names.content(operation.event, PerfEvent, "ENOTTY")
    attaching.attach(attaching.Request(event, operation.program, kernel.names, kernel.rules))
    return Outcome(value=0)


def enable(kernel: Kernel, operation: Enable) -> Outcome:
    kernel.names.content(operation.event, PerfEvent, "ENOTTY").enabled = True
    return Outcome(value=0)


def disable(kernel: Kernel, operation: Disable) -> Outcome:
    kernel.names.content(operation.event, PerfEvent, "ENOTTY").enabled = False
    return Outcome(value=0)


def read_count(kernel: Kernel, operation: ReadCount) -> Outcome:
    event = _event(kernel, operation.event, otherwise="EINVAL")
    if event.doubt or event.trace_event.doubt:
        raise Unpredictable(event.doubt or event.trace_event.doubt)
    return Outcome(value=event.count)


def map_ring(kernel: Kernel, operation: MapRing) -> Outcome:
    """One control page and a power of two of data pages; a second mapping must have the first one's size."""
    content = kernel.names.file(operation.event).content
    if isinstance(content, Map) and kernel.rules.maps.array_mmap:
        if content.type == MapType.ARRAY:
            raise Errno("EINVAL")
        raise Unpredictable("how the kernel refuses to map this map")
    event = _event(kernel, operation.event, otherwise="ENODEV")
    pages = operation.data_pages
    if pages < 0 or pages & (pages - 1) or (event.ring and event.ring.size != pages * PAGE_SIZE):
        raise Errno("EINVAL")
    if pages > MOST_CERTAIN_PAGES:
        raise Unpredictable("how much memory a caller may lock")
    event.ring = event.ring or Ring(pages * PAGE_SIZE)
    event.ring.mappings += 1
    file = kernel.names.file(operation.event)
    file.references += 1
    kernel.names.put(operation.name, Mapping(event, event.ring, file))
    return Outcome(value=0)


def read_ring(kernel: Kernel, operation: ReadRing) -> Outcome:
    mapping = kernel.names.mapping(operation.ring.name)
    doubt = mapping.event.doubt or mapping.event.trace_event.doubt
    if doubt or mapping.unmapped:
        raise Unpredictable(doubt or f"{operation.ring.name} is not mapped any more")
    records = mapping.ring.drain()
    return Outcome(value=len(records), records=records)


def unmap(kernel: Kernel, operation: Unmap) -> Outcome:
    """The mapping held the event open; with the last one the ring buffer goes. munmap(2) of nothing succeeds too."""
    mapping = kernel.names.mapping(operation.ring.name)
    if not mapping.unmapped:
        mapping.unmapped = True
        mapping.ring.mappings -= 1
        if mapping.ring.mappings == 0:
            mapping.event.ring = None
        kernel.names.drop(mapping.file)
    return Outcome(value=0)


def _period_left(kernel: Kernel, period: int) -> int:
    runs = kernel.rules.first_period_runs.in_release(kernel.environment.version_code)
    if runs is None and period > 1:
        raise Unpredictable("whether this stable release begins sample periods at their beginning")
    return -period if runs else period


def _trace_event(kernel: Kernel, config: Ref | int) -> TraceEvent | None:
    """The trace event with this id, None when there is surely none."""
    if isinstance(config, Ref):
        found = kernel.names.trace_event(config.name)
        if found and found.removed and kernel.rules.recycles_trace_event_ids and found is not kernel.trace_events[-1]:
            raise Unpredictable("the id of a removed trace event may be another's by now")
        return found
    if 0 < config <= MOST_TRACE_EVENTS:
        raise Unpredictable(f"whether there is a trace event with id {config}")
    return None


def _check_unprivileged(kernel: Kernel, operation: OpenEvent) -> None:
    """PEO-10, by the distribution's setting of perf_event_paranoid."""
    if kernel.rules.unprivileged_event == "EACCES" or operation.pid == -1:
        raise Errno("EACCES")
    if SampleType.RAW in operation.sample_type:
        raise Errno(kernel.rules.unprivileged_event)


def _doubt(kernel: Kernel, operation: OpenEvent, trace_event: TraceEvent) -> str:
    if operation.cpu != -1 and kernel.environment.cpus > 1:
        return "nobody knows on which CPU the calling thread runs"
    if trace_event.foreign:
        return f"others than the script reach {trace_event.name}"
    return ""


def _event(kernel: Kernel, descriptor: Descriptor, otherwise: str) -> PerfEvent:
    file: File = kernel.names.file(descriptor)
    if isinstance(file.content, PerfEvent):
        return file.content
    if isinstance(file.content, PlainFile):
        raise Unpredictable(f"what {file.content.path} does here")
    raise Errno(otherwise)
