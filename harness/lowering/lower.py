# SPDX-License-Identifier: MIT
"""Lowering of scripts to batches, one function for each operation, and reading observations from their results."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from harness.lowering import (
    events,
    maps,
    processes,
    programs,
    raw,
    reading,
    ring_buffers,
    settings,
    threads,
    trace,
    triggering,
)
from harness.lowering.armed import slots
from harness.lowering.context import Guest, Lowering, Reader
from harness.lowering.watch import Watch
from harness.script import operations as op
from harness.script import processes as child
from harness.script import surroundings as around
from harness.script.needs import FIRST_CPU
from harness.script.operations import Operation, Script
from harness.script.outcome import NOT_CARRIED_OUT, Outcome
from hil.agent.builder import BatchBuilder
from hil.agent.results import BatchResult, NotCarriedOut
from hil.agent.steps import Batch

_LOWERINGS: dict[type, Callable[[Lowering, Any], Reader]] = {
    op.CreateMap: maps.create,
    op.LookupElement: maps.lookup,
    op.UpdateElement: maps.update,
    op.DeleteElement: maps.delete,
    op.GetNextKey: maps.get_next_key,
    op.ReadElements: maps.read_elements,
    op.LoadProgram: programs.load,
    op.RunSocketFilter: programs.run_socket_filter,
    op.ReadRuns: programs.read_runs,
    op.CreateKprobe: events.create_kprobe,
    op.RemoveKprobe: events.remove_kprobe,
    op.FindTracepoint: events.find_tracepoint,
    op.ReadProfile: events.read_profile,
    op.OpenEvent: events.open_event,
    op.OpenOutputEvent: events.open_output_event,
    op.MapRing: events.map_ring,
    op.Unmap: events.unmap,
    op.Attach: events.attach,
    op.Enable: events.enable,
    op.Disable: events.disable,
    op.OpenFile: events.open_file,
    op.Duplicate: events.duplicate,
    op.Close: events.close,
    op.ReadRing: reading.read_ring,
    op.ReadCount: reading.read_count,
    op.MapRingBuffer: ring_buffers.map_ring_buffer,
    op.ReadRingBuffer: ring_buffers.read_ring_buffer,
    op.MapPages: ring_buffers.map_pages,
    op.Trigger: triggering.trigger,
    op.RawBpf: raw.bpf,
    op.RawOpenEvent: raw.open_event,
    op.Ioctl: raw.ioctl,
    op.WriteKprobeEvents: raw.write_kprobe_events,
    around.ReadSetting: settings.read,
    around.SetSetting: settings.write,
    around.ReadClock: trace.read_clock,
    around.ClearTrace: trace.clear,
    around.ReadTrace: trace.read,
    child.Fork: processes.fork,
    child.Exit: processes.exit,
    child.SetCredentials: processes.set_credentials,
    child.Execute: processes.execute,
    child.LimitLockedMemory: processes.limit_locked_memory,
    child.SetName: processes.set_name,
    child.GetProcessId: processes.get_process_id,
    op.Pin: threads.pin,
    op.RunThreads: lambda lowering, operation: threads.run_threads(lowering, operation, carry),
}


@dataclass(frozen=True)
class Lowered:
    """One script of a batch. `first_steps[i]` is the first step of operation `i`, `end` the step after the script's
    last one; `readers[i]` makes the observation of operation `i`."""

    script: Script
    first_steps: tuple[int, ...]
    end: int
    readers: tuple[Reader, ...]

    def operation_at(self, step: int) -> int:
        """Returns the operation a step belongs to; the last one for the steps that clean up."""
        return min(max(bisect_right(self.first_steps, step) - 1, 0), len(self.first_steps) - 1)

    def observations(self, results: BatchResult) -> tuple[Outcome, ...]:
        """Returns the observation of each operation; the main process must have come to the script's end, but a child
        may not have come to its own."""
        return tuple(_observed(reader, results) for reader in self.readers)


def _observed(reader: Reader, results: BatchResult) -> Outcome:
    try:
        return reader(results)
    except NotCarriedOut:
        return Outcome(errno=NOT_CARRIED_OUT)


def lower(
    scripts: Sequence[Script],
    guest: Guest,
    tags: Sequence[str],
    *,
    deadline: float = 20.0,
    watch: Watch | None = None,
    kept: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
) -> tuple[Batch, tuple[Lowered, ...]]:
    """Lowers scripts for a target, to run one after the other in one process, each closing all it opened.

    A script's tag (letters, digits, _) names its trace events; `deadline` is in seconds, for all of them. With `watch`,
    the kernel is asked where the programs' instructions are. `kept` are the ids of trace events that are there, by
    function, for scripts that can use them (`harness.lowering.armed`).
    """
    builder = BatchBuilder()
    lowered = tuple(
        _lower(
            script,
            Lowering(guest, tag, builder, watch=watch, kept=slots(script, position, kept)),
            alone=len(scripts) == 1,
        )
        for position, (script, tag) in enumerate(zip(scripts, tags, strict=True))
    )
    return builder.build(deadline), lowered


def carry(lowering: Lowering, operation: Operation) -> Reader:
    """Adds the steps of one operation."""
    return _LOWERINGS[type(operation)](lowering, operation)


def _lower(script: Script, lowering: Lowering, *, alone: bool) -> Lowered:
    first_steps: list[int] = []
    readers: list[Reader] = []
    lowering.builder.pin(FIRST_CPU)
    if lowering.watch:
        lowering.watch.begin(lowering)
    for operation in script.operations:
        first_steps.append(len(lowering.builder))
        readers.append(carry(lowering, operation))
    events.clean_up(lowering, process_ends=alone)
    return Lowered(script, tuple(first_steps), len(lowering.builder), tuple(readers))
