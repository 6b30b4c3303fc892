# SPDX-License-Identifier: MIT
"""perf_event_open(2) on trace events, and the operations on its descriptor: kernel/events/core.c."""

from __future__ import annotations

from harness.model.errno import Errno
from harness.model.interface import attach as attaching
from harness.model.interface import permissions
from harness.model.interface.effects import PID_LOOKUP
from harness.model.interface.hits import open_hits
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import Event, File, LoadedProgram, OutputEvent, PerfEvent, PlainFile, TraceEvent
from harness.model.surroundings import MOST_PIDS
from harness.model.unpredictable import Unpredictable
from harness.model.value import M64
from harness.script.operations import (
    Attach,
    Descriptor,
    Disable,
    Enable,
    OpenEvent,
    OpenOutputEvent,
    ProgramType,
    ReadCount,
    Ref,
    SampleType,
)
from harness.script.outcome import DESCRIPTOR, Outcome, Unknown
from harness.script.reason import Gap

EVERYBODY = None
INIT = object()
"""The first process, which reaches none of the bench's probes."""
MOST_TRACE_EVENTS = (1 << 16) - 1
KNOWN_SAMPLES = sum(SampleType)


def open_event(kernel: Kernel, operation: OpenEvent, *, excludes_kernel: bool = False) -> Outcome:
    """Opens an event, with the checks in the order of PEO-01: permission for any event, period, task, CPU, the trace
    event, and permission for what it shows."""
    trace_event = _trace_event(kernel, operation.config)
    if int(operation.sample_type) & ~KNOWN_SAMPLES:
        raise Unpredictable("the model does not know all bits of the sample type", Gap.INPUT)
    permissions.open_any(kernel, excludes_kernel)
    if operation.sample_period & 1 << 63:
        raise Errno("EINVAL")
    task = _target(kernel, operation)
    if trace_event is None or trace_event.removed:
        raise Errno("EINVAL")
    if SampleType.RAW in operation.sample_type:
        permissions.raw_samples(kernel)
    event = PerfEvent(
        surroundings=kernel.surroundings,
        trace_event=trace_event,
        sample_type=SampleType(operation.sample_type),
        sample_period=operation.sample_period,
        task=task,
        cpu=operation.cpu,
        enabled=not operation.disabled,
        excludes_kernel=excludes_kernel,
        inherit=operation.inherit,
        enable_on_exec=operation.enable_on_exec,
        monotonic=operation.monotonic,
        period_left=period_left(kernel, operation.sample_period),
        doubt=trace_event.others,
    )
    trace_event.events.append(event)
    _check_whole_cpu(kernel, event)
    kernel.names.open(operation.name, event, close_on_exec=operation.close_on_exec)
    return Outcome(value=DESCRIPTOR)


def open_output_event(kernel: Kernel, operation: OpenOutputEvent) -> Outcome:
    """Opens an event for output; raises Errno as above, and ENOENT where there are no such events."""
    if int(operation.sample_type) & ~KNOWN_SAMPLES:
        raise Unpredictable("the model does not know all bits of the sample type", Gap.INPUT)
    permissions.open_any(kernel, excludes_kernel=False)
    task = _target(kernel, operation)
    if not kernel.rules.output_events:
        raise Errno("ENOENT")
    event = OutputEvent(
        sample_type=SampleType(operation.sample_type),
        surroundings=kernel.surroundings,
        task=task,
        enabled=not operation.disabled,
        cpu=operation.cpu,
    )
    _check_whole_cpu(kernel, event)
    kernel.names.open(operation.name, event)
    return Outcome(value=DESCRIPTOR)


def attach(kernel: Kernel, operation: Attach) -> Outcome:
    event = kernel.names.content(operation.event, Event, "ENOTTY")
    if not isinstance(event, PerfEvent):
        return _attach_handler(kernel, operation)
    attaching.attach(attaching.Request(event, operation.program, kernel.names, kernel.rules))
    return Outcome(value=0)


def enable(kernel: Kernel, operation: Enable) -> Outcome:
    for event in kernel.names.content(operation.event, Event, "ENOTTY").family:
        event.enabled = True
    return Outcome(value=0)


def disable(kernel: Kernel, operation: Disable) -> Outcome:
    for event in kernel.names.content(operation.event, Event, "ENOTTY").family:
        event.enabled = False
    return Outcome(value=0)


def read_count(kernel: Kernel, operation: ReadCount) -> Outcome:
    event = event_of(kernel, operation.event, otherwise="EINVAL")
    if isinstance(event, PerfEvent) and event.doubt and event.why_unknown == event.trace_event.others:
        return Outcome(value=Unknown(event.doubt, least=0, most=M64))
    if event.why_unknown:
        raise Unpredictable(event.why_unknown)
    return Outcome(value=sum(member.count for member in event.family))


def period_left(kernel: Kernel, period: int) -> int:
    runs = kernel.rules.first_period_runs.in_release(kernel.environment.version_code)
    if runs is None and period > 1:
        raise Unpredictable("whether this stable release begins sample periods at their beginning")
    return -period if runs else period


def _trace_event(kernel: Kernel, config: Ref | int) -> TraceEvent | None:
    """Returns the trace event with this id, None when there is surely none."""
    if isinstance(config, Ref):
        found = kernel.names.trace_event(config.name)
        if found and found.removed and kernel.rules.recycles_trace_event_ids and found is not kernel.trace_events[-1]:
            raise Unpredictable("the id of a removed trace event may be another's by now")
        return found
    if 0 < config <= MOST_TRACE_EVENTS:
        raise Unpredictable(f"whether there is a trace event with id {config}")
    return None


def _attach_handler(kernel: Kernel, operation: Attach) -> Outcome:
    """perf_event_set_bpf_handler(): programs of type PERF_EVENT run on the samples of other events."""
    if kernel.names.content(operation.program, LoadedProgram, "EINVAL").type != ProgramType.PERF_EVENT:
        raise Errno("EINVAL")
    raise Unpredictable("the model has no rules for programs on samples", Gap.INPUT)


def _target(kernel: Kernel, operation: OpenEvent | OpenOutputEvent) -> object | None:
    """Returns the task whose hits an event is to count, and checks on which CPU: raises Errno ESRCH, EACCES, EINVAL."""
    task = _task(kernel, operation.pid)
    if task is not EVERYBODY:
        permissions.watch(kernel, task)
    everywhere = operation.cpu == -1
    if operation.cpu >= kernel.environment.cpus or operation.cpu < -1 or (task is EVERYBODY and everywhere):
        raise Errno("EINVAL")
    return task


def _check_whole_cpu(kernel: Kernel, event: Event) -> None:
    """Raises EACCES. The event existed already then, and freeing it has the effects of closing any event (DET-03)."""
    if event.task is EVERYBODY:
        try:
            permissions.whole_cpu(kernel)
        except (Errno, Unpredictable):
            kernel.release(event)
            raise


def _task(kernel: Kernel, pid: Ref | int) -> object | None:
    """Returns the task whose hits an event is to count; raises Errno ESRCH."""
    if pid not in (0, -1):
        open_hits(kernel, PID_LOOKUP, "which probes perf_event_open(2) hits when it looks for a task")
    if isinstance(pid, Ref):
        found = kernel.names.number(pid.name)
        if found is None:
            raise Unpredictable(f"which process {pid.name} is")
        return found
    if pid < -1 or pid > MOST_PIDS:
        raise Errno("ESRCH")
    if pid > 1:
        raise Unpredictable("the model does not know what other tasks there are")
    return {-1: EVERYBODY, 0: kernel.task, 1: INIT}[pid]


def event_of(kernel: Kernel, descriptor: Descriptor, otherwise: str) -> Event:
    """Returns the event behind a descriptor; raises Errno EBADF, `otherwise` for another file."""
    file: File = kernel.names.file(descriptor)
    if isinstance(file.content, Event):
        return file.content
    if isinstance(file.content, PlainFile):
        raise Unpredictable(f"what {file.content.path} does here")
    raise Errno(otherwise)
