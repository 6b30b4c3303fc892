# SPDX-License-Identifier: MIT
"""tracefs: kprobe_events and the ids of trace events; kernel/trace/trace_kprobe.c."""

from __future__ import annotations

from collections.abc import Mapping

from harness.model.errno import Errno
from harness.model.interface import permissions
from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import TraceEvent
from harness.model.unpredictable import Deadly, Settled, Unpredictable
from harness.script.operations import CreateKprobe, FindTracepoint, ReadProfile, RemoveKprobe
from harness.script.outcome import Bytes, Outcome, Piece, Unknown
from harness.script.reason import Gap, Reason
from harness.script.triggers import SYMBOLS

TRACE_EVENT_ID = Unknown("the id of a trace event", least=1, most=(1 << 16) - 1)
NOBODYS = "no_such"
"""A part of a name that no function or tracepoint of any kernel has: scripts use it where there must be none."""
TRACEPOINTS: Mapping[str, int | None] = {
    **dict.fromkeys(("sched/sched_switch", "sched/sched_process_fork", "sched/sched_process_exit"), None),
    "irq/softirq_entry": None,
    "raw_syscalls/sys_enter": 64,
    "raw_syscalls/sys_exit": 24,
}
"""Static tracepoints of every kernel in the matrix, with the bytes of their records where these are the same in all:
include/trace/events/syscalls.h, of which eight bytes are common to all trace events."""


def create_kprobe(kernel: Kernel, operation: CreateKprobe) -> Outcome:
    """Returns the id of the new trace event; raises Errno EINVAL for a return probe with an offset, and for the first
    instruction of a function where that belongs to ftrace alone (check_ftrace_location(), kernel/kprobes.c); for an
    unknown symbol ENOENT or what else the era has.
    """
    permissions.tracing_files(kernel)
    if not kernel.environment.kprobes:
        raise Errno("ENOENT")
    if operation.returns and operation.offset and not kernel.rules.landing_pads:
        raise Errno("EINVAL")  # with landing pads, an offset of 4 is still the function's entry
    if not (doubt := _unsure(kernel, operation)) and not _exists(kernel, operation.symbol):
        raise Errno(kernel.rules.unknown_symbol)
    if any(event.name == operation.name and not event.removed for event in kernel.trace_events):
        raise Unpredictable("which effect a second probe of the same name has")
    if operation.offset and kernel.rules.inner_probes_panic:
        raise Deadly(
            "whether the kernel survives a hit: it may write the jump back into a read-only instruction slot, until "
            '"kprobes/x86: Do not modify singlestep buffer while resuming", Masami Hiramatsu, March 2017 (4.12)'
        )
    if operation.offset:
        raise Unpredictable("whether an instruction begins there", Gap.SYMBOLS)
    if not kernel.rules.entry_probes:
        if operation.symbol not in SYMBOLS:
            raise Unpredictable(f"whether ftrace can trace {operation.symbol}")
        raise Errno("EINVAL")
    trace_event = TraceEvent(
        operation.name, operation.symbol, operation.returns, foreign=operation.symbol not in SYMBOLS
    )
    kernel.trace_events.append(trace_event)
    kernel.names.put(operation.name, trace_event)
    if doubt:
        raise Settled(doubt)
    return Outcome(value=TRACE_EVENT_ID)


def remove_kprobe(kernel: Kernel, operation: RemoveKprobe) -> Outcome:
    """Removes a probe; raises Errno EBUSY while any perf event on it is open, ENOENT when there is none of this
    name."""
    permissions.tracing_files(kernel)
    trace_event = _present(kernel, operation.probe.name)
    if any(not event.doubt for event in trace_event.events) or (trace_event.events and not trace_event.doubt):
        raise Errno("EBUSY")
    if trace_event.doubt:
        raise Unpredictable(trace_event.doubt)
    trace_event.removed = True
    return Outcome(value=0)


def read_profile(kernel: Kernel, operation: ReadProfile) -> Outcome:
    """Returns at least the script's own hits: others reach the functions, too. Raises Errno ENOENT for a probe that
    there is not; kprobe_profile of tracefs, probes_profile_seq_show()."""
    permissions.tracing_files(kernel)
    probe = _present(kernel, operation.probe.name)
    if why := probe.unsure or probe.uncounted:
        raise Unpredictable(why)
    missed = Bytes(bytes(8), (Piece(0, 8, Unknown("how many hits the kernel missed", least=0)),))
    return Outcome(value=Unknown("how often anybody reached the probe", least=probe.hits), data=missed)


def _present(kernel: Kernel, name: str) -> TraceEvent:
    """Returns the probe of this name that tracefs lists, or may list; raises Errno ENOENT where there is none.

    The kernel goes by names: one that a command made is there though making another one of the same name failed.
    """
    last = kernel.names.trace_event(name)
    if last is not None and not last.removed:
        return last
    for probe in kernel.trace_events:
        if probe.name == name and probe.symbol is not None and not probe.removed:
            return probe
    raise Errno("ENOENT")


def find_tracepoint(kernel: Kernel, operation: FindTracepoint) -> Outcome:
    permissions.tracing_files(kernel)
    if NOBODYS in operation.tracepoint:
        raise Errno("ENOENT")
    doubt = ""
    if operation.tracepoint not in TRACEPOINTS:
        why = Reason(f"whether the kernel has the tracepoint {operation.tracepoint}", Gap.SYMBOLS)
        doubt = _seen(kernel, operation.name, why)
    record_size = TRACEPOINTS.get(operation.tracepoint)
    trace_event = TraceEvent(operation.name, None, foreign=True, record_size=record_size)
    kernel.trace_events.append(trace_event)
    kernel.names.put(operation.name, trace_event)
    if doubt:
        raise Settled(doubt)
    return Outcome(value=TRACE_EVENT_ID)


def _unsure(kernel: Kernel, operation: CreateKprobe) -> str:
    """Returns why nobody knows whether the kernel has the function of a probe that it made; empty where that is
    known. Raises as `_seen`, except where more than that is open."""
    try:
        _exists(kernel, operation.symbol)
    except Unpredictable as unsure:
        if operation.offset or not kernel.rules.entry_probes:
            raise
        return _seen(kernel, operation.name, unsure.why)
    return ""


def _seen(kernel: Kernel, name: str, why: str) -> str:
    """Returns `why` when the kernel was seen to have what nobody could know of; raises Settled when it was seen not to
    have it, Unpredictable when nobody has seen anything."""
    if kernel.seen is None:
        raise Unpredictable(why)
    if kernel.seen.errno is not None:
        kernel.names.forget(name)
        raise Settled(why)
    return why


def _exists(kernel: Kernel, symbol: str) -> bool:
    if kernel.environment.symbols is not None:
        return symbol in kernel.environment.symbols
    if symbol in SYMBOLS:
        return True
    if NOBODYS in symbol:
        return False
    raise Unpredictable(f"whether the kernel has a function {symbol}", Gap.SYMBOLS)
