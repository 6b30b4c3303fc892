"""Scripts to batches: one function an operation, and back from results to observations."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.lowering import events, firing, maps, programs, reading
from harness.lowering.context import Guest, Lowering, Reader
from harness.script import operations as op
from harness.script.operations import Script
from harness.script.outcome import Outcome
from hil.agent.results import BatchResult
from hil.agent.steps import Batch

_LOWERINGS: dict[type, Callable[[Lowering, Any], Reader]] = {
    op.CreateMap: maps.create,
    op.LookupElement: maps.lookup,
    op.UpdateElement: maps.update,
    op.DeleteElement: maps.delete,
    op.NextKey: maps.next_key,
    op.LoadProgram: programs.load,
    op.FilterPacket: programs.filter_packet,
    op.CreateKprobe: events.create_kprobe,
    op.RemoveKprobe: events.remove_kprobe,
    op.FindTracepoint: events.find_tracepoint,
    op.OpenEvent: events.open_event,
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
    op.Fire: firing.fire,
}


@dataclass(frozen=True)
class Lowered:
    """A script as a batch. `first_steps[i]` is the first step of operation `i`; `readers[i]` makes its observation."""

    batch: Batch
    first_steps: tuple[int, ...]
    readers: tuple[Reader, ...]

    def operation_at(self, step: int) -> int:
        """The operation a step belongs to; the last one for the steps that clean up."""
        return min(max(bisect_right(self.first_steps, step) - 1, 0), len(self.first_steps) - 1)

    def observations(self, results: BatchResult) -> tuple[Outcome, ...]:
        """What the guest says of each operation; the batch must have been completed."""
        return tuple(reader(results) for reader in self.readers)


def lower(script: Script, guest: Guest, tag: str, *, deadline: float = 20.0) -> Lowered:
    """Lower a script for a target. `tag` (letters, digits, _) names its trace events; `deadline` in seconds."""
    lowering = Lowering(guest, tag)
    first_steps: list[int] = []
    readers: list[Reader] = []
    for operation in script.operations:
        first_steps.append(len(lowering.builder))
        readers.append(_LOWERINGS[type(operation)](lowering, operation))
    events.clean_up(lowering)
    return Lowered(lowering.builder.build(deadline), tuple(first_steps), tuple(readers))
