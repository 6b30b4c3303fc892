# SPDX-License-Identifier: MIT
"""The effects of a hit of a probe: contexts, programs, counts, samples.

kernel/trace/trace_kprobe.c: kprobe_perf_func(), kretprobe_perf_func(); kernel/events/core.c: perf_swevent_event().
"""

from __future__ import annotations

from dataclasses import replace

from harness.model.interface.kernel import Kernel
from harness.model.interface.objects import LoadedProgram, PerfEvent, TraceEvent
from harness.model.interface.samples import fields, size_of_fields
from harness.model.interpreter import Returned, Stop
from harness.model.memory import Context, Region, UserMemory
from harness.model.rules import Keep
from harness.model.state import State
from harness.model.unpredictable import Ran, Settled, Unpredictable
from harness.model.value import M32, M64, Pointer, Value, partial, partial_of, unknown
from harness.script.operations import Buffer, SampleType, Trigger, Untouched
from harness.script.outcome import KERNEL_ADDRESS, Unknown
from harness.script.reason import Reason, gap_of
from harness.script.triggers import Argument, KernelPath


class Call:
    """One call of a probed function: the values of its arguments and its result."""

    def __init__(self, trigger: KernelPath, operation: Trigger) -> None:
        self.system_call = trigger.system_call
        self._chosen = [_chosen(value) for value in operation.arguments]
        self.arguments = [self.value(argument) for argument in trigger.arguments]
        self.returns = self.value(trigger.returns, trigger.return_bits)

    def value(self, argument: int | Argument, bits: int = 64) -> Value:
        """Returns what a register holds for it; above the bits that are passed, anything."""
        if isinstance(argument, int):
            return _low(argument, bits)
        if argument.chosen is None:
            return unknown("an argument only the kernel knows")
        whole = self._chosen[argument.chosen] if argument.chosen < len(self._chosen) else 0
        if argument.by_address:
            content = Region("a number of the kernel's", 8, bytes(8), alignment=8)
            content.store(0, 8, whole)
            return Pointer(content)
        return _low(whole, min(bits, argument.bits))


def probes_of(kernel: Kernel, symbol: str) -> list[TraceEvent]:
    """Returns the probes on a function, the oldest first."""
    return [event for event in kernel.trace_events if event.symbol == symbol and event.reachable]


def hit(kernel: Kernel, symbol: str, call: Call) -> None:
    """Enters the function and returns from it.

    Of several probes on one function the newest runs first at entry, and last at return: kprobes are put at the head of
    the list of their address, and each return probe takes over the return address from the one before it.

    Raises Settled when what one of them does is unpredictable; the others are reached all the same.
    """
    probes = probes_of(kernel, symbol)
    entered = [probe for probe in probes if not probe.returns]
    settled = None
    for trace_event in (*reversed(entered), *(probe for probe in probes if probe.returns)):
        try:
            _reach(kernel, trace_event, call)
        except Settled as one:
            settled = first_of(settled, one)
    if settled:
        raise settled


def first_of(settled: Settled | None, one: Settled) -> Settled:
    """Returns the one of two that leaves more open, the first if they are alike."""
    return one if settled is None or (isinstance(settled, Ran) and not isinstance(one, Ran)) else settled


def open_hits(kernel: Kernel, of: str | TraceEvent, why: str) -> None:
    """Records that a function, or one probe, may have been reached any number of times, by any call."""
    probes = (event for event in kernel.trace_events if event.reachable and of in (event, event.symbol))
    for trace_event in probes:
        trace_event.uncounted = trace_event.uncounted or why
        _doubt(kernel, trace_event, why)
        if trace_event.doubt:
            kernel.surroundings.distrust_trace(why)


def _reach(kernel: Kernel, trace_event: TraceEvent, call: Call) -> None:
    trace_event.hits += any(not event.doubt for event in trace_event.events) and not trace_event.doubt
    if trace_event.doubt:
        _doubt(kernel, trace_event, trace_event.doubt)
        kernel.surroundings.distrust_trace(trace_event.doubt)
        if trace_event.events:
            raise Settled(trace_event.doubt)
        return
    try:
        verdicts = _run_programs(kernel, trace_event, call)
    except Unpredictable as unpredictable:
        # Of the one that ran this is known; its arrays are in doubt by now.
        others = len(trace_event.programs) == 1 or all(program.harms_nobody() for program in trace_event.programs)
        _doubt(kernel, trace_event, unpredictable.why)
        kind = Ran if isinstance(unpredictable, Ran) and others else Settled
        raise kind(unpredictable.why) from unpredictable
    try:
        kept = _kept(kernel.rules.keep, verdicts)
    except Unpredictable as unpredictable:
        _doubt_counts(trace_event, unpredictable.why)
        return
    if kept:
        for event in trace_event.events:
            if event.runs(kernel.environment):
                _count(kernel, event)


def _run_programs(kernel: Kernel, trace_event: TraceEvent, call: Call) -> list[Value]:
    """Runs every program, whatever the others return; returns what they return."""
    if not trace_event.programs:
        return []
    context = context_of(kernel, trace_event, call)
    return [run(kernel, program, context) for program in trace_event.programs]


def _kept(keep: Keep, verdicts: list[Value]) -> bool:
    """Returns whether the hit counts: all programs must keep it."""
    if keep is Keep.NON_ZERO:
        return all(verdict & M32 != 0 for verdict in verdicts)
    return all(verdict & 1 == 1 for verdict in verdicts)


def run(kernel: Kernel, program: LoadedProgram, context: Region, packet: bytes | None = None) -> Value:
    """Returns the program's return value; raises Settled, with what it may have done marked as unknown, when the model
    cannot know it."""
    first = Pointer(context)
    state = State(program.instructions, program.maps, first, kernel.helpers, packet, kernel.choices)
    ended = kernel.interpreter.run(program.code, state, kernel.sink)
    if isinstance(ended, Returned):
        return ended.value
    why = Reason(f"{ended.stop.value}: {ended.why}, at instruction {ended.pc}", gap_of(ended.why))
    ran = ended.stop is Stop.UNPREDICTABLE and why.gap is None and program.harms_nobody()
    _distrust(kernel, program, why)
    raise (Ran if ran else Settled)(why)


def context_of(kernel: Kernel, trace_event: TraceEvent, call: Call) -> Region:
    """Returns struct pt_regs at the hit: what the calling convention determines, everything else unknown."""
    layout = kernel.environment.registers
    place = (trace_event.symbol, trace_event.name if trace_event.returns else None, call.system_call)
    region = Context("the context", layout.size, place=place, garbage="a register the calling convention leaves open")
    region.store(layout.offsets[layout.ip], 8, partial_of(KERNEL_ADDRESS))
    region.store(layout.offsets[layout.sp], 8, partial_of(KERNEL_ADDRESS))
    if trace_event.returns:
        region.store(layout.offsets[layout.returns], 8, call.returns)
    else:
        for index, value in enumerate(call.arguments):
            region.store(layout.argument(index), 8, value)
    region.writable = False
    return region


def _count(kernel: Kernel, event: PerfEvent) -> None:
    """perf_swevent_event(): every hit counts; which one is a sample depends on the period.

    Where the first period begins at its end, the first hit is two samples if the period is more than 1, and the next
    sample comes a hit too soon.
    """
    event.count = event.count + 1 & M64
    if event.sample_period == 0:
        return
    if SampleType.PERIOD in event.sample_type:
        _sample(kernel, event, period=1)
        return
    if event.sample_period == 1:
        _sample(kernel, event, period=1)
        return
    event.period_left += 1
    if event.period_left >= 0:  # perf_swevent_set_period()
        periods = (event.sample_period + event.period_left) // event.sample_period
        event.period_left -= periods * event.sample_period
        for _ in range(periods):
            _sample(kernel, event, period=event.sample_period)


def _sample(kernel: Kernel, event: PerfEvent, period: int) -> None:
    ring = (event.original or event).ring
    if ring is None:
        return
    sample = fields(kernel.environment, kernel.surroundings, event.sample_type, period)
    if SampleType.RAW in event.sample_type:
        trace_event = Unknown("the id of the trace event", same_as=event.trace_event.name)
        caller = kernel.surroundings.caller.number
        sample = replace(sample, trace_event=trace_event, common_pid=caller, probe_ip=KERNEL_ADDRESS)
    if event.monotonic and SampleType.TIME in event.sample_type:
        sample = replace(sample, time=kernel.surroundings.now())
    ring.write(sample, _size(event))


def _size(event: PerfEvent) -> int:
    """Returns the size in bytes of a sample in the ring: a header, 8 bytes a field, and the raw payload after its own
    size; perf_prepare_sample(), kernel/events/core.c."""
    raw = (32 if event.trace_event.returns else 24) if SampleType.RAW in event.sample_type else 0
    return 8 + size_of_fields(event.sample_type) + raw


def _doubt(kernel: Kernel, trace_event: TraceEvent, why: str) -> None:
    """Marks a hit's effects as unknown: it may have been kept or not, and programs after an unpredictable one may have
    done anything."""
    _doubt_counts(trace_event, why)
    for program in trace_event.programs:
        _distrust(kernel, program, why)


def _distrust(kernel: Kernel, program: LoadedProgram, why: str) -> None:
    """Marks everything that the program may have changed as unknown."""
    program.doubt_maps(why)
    if program.may_print:
        kernel.surroundings.distrust_trace(why)


def _doubt_counts(trace_event: TraceEvent, why: str) -> None:
    for event in trace_event.events:
        event.doubt = event.doubt or why


def _chosen(value: int | Buffer | Untouched) -> Value:
    match value:
        case Buffer(content, guarded):
            return Pointer(UserMemory("the caller's buffer", len(content), content, ends=guarded))
        case Untouched(nbytes):
            return Pointer(UserMemory("memory that was not touched", nbytes, bytes(nbytes), there=False))
        case _:
            return value & M64


def _low(value: Value, bits: int) -> Value:
    if bits == 64:
        return value
    high = M64 & ~((1 << bits) - 1)
    return value & ((1 << bits) - 1) | partial(0, high, f"a register above the {bits} bits that are passed")
