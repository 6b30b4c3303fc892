"""What the kernel keeps: programs, trace events, perf events and their ring buffers.

`doubt` on an object says why its state cannot be known any more; empty while it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.isa.instruction import Instruction
from harness.model.interpreter import Code
from harness.model.maps import Map
from harness.script.operations import SampleType
from harness.script.outcome import Lost, Record, Sample


@dataclass(eq=False)
class LoadedProgram:
    """`maps` by the index of the instruction that loads them."""

    type: int
    instructions: tuple[Instruction, ...]
    code: Code
    maps: dict[int, Map]

    def doubt_maps(self, why: str) -> None:
        """The program may have stored anything into its maps."""
        for map in self.maps.values():
            map.doubt = map.doubt or why


@dataclass(eq=False)
class TraceEvent:
    """A probe made by kprobe_events (`symbol`), or a static tracepoint (None). `name` is the script's.

    `programs` are in the order they run; where an event takes one program only, its owner does not matter.
    `foreign` says that others than the script's own triggers reach it, at times nobody knows.
    """

    name: str
    symbol: str | None
    returns: bool = False
    foreign: bool = False
    removed: bool = False
    events: list[PerfEvent] = field(default_factory=list)
    programs: list[tuple[PerfEvent, LoadedProgram]] = field(default_factory=list)
    doubt: str = ""


@dataclass(eq=False)
class Ring:
    """The data pages of a perf event, kernel/events/ring_buffer.c. Sizes in bytes."""

    size: int
    mappings: int = 0
    records: list[Record] = field(default_factory=list)
    _used: int = 0
    _lost: int = 0

    def write(self, sample: Sample, size: int) -> None:
        """perf_output_begin(): a record that does not fit is counted, and told of before the next one that does.

        The head may not reach the tail, so one byte always stays free.
        """
        if self.size == 0:
            return
        needed = size + (LOST_SIZE if self._lost else 0)
        if self.size - 1 - self._used < needed:
            self._lost += 1
            return
        if self._lost:
            self.records.append(Lost(self._lost))
            self._lost = 0
        self.records.append(sample)
        self._used += needed

    def drain(self) -> tuple[Record, ...]:
        """Everything there is; the reader's tail moves up to the head."""
        records = tuple(self.records)
        self.records.clear()
        self._used = 0
        return records


LOST_SIZE = 24
"""PERF_RECORD_LOST: a header, an id and a count."""


@dataclass(eq=False)
class PerfEvent:
    """An open perf event. `counts` is whether hits of the calling thread are its hits; `period_left` is negative while
    a period runs, as in `struct hw_perf_event`."""

    trace_event: TraceEvent
    sample_type: SampleType
    sample_period: int
    counts: bool
    enabled: bool
    count: int = 0
    period_left: int = 0
    ring: Ring | None = None
    doubt: str = ""


@dataclass(eq=False)
class PlainFile:
    """A file that is neither map nor program nor perf event."""

    path: str


@dataclass(eq=False)
class Mapping:
    """A mapping of a perf event's ring buffer; holds the event's file open until it is unmapped."""

    event: PerfEvent
    ring: Ring
    file: File
    unmapped: bool = False


@dataclass(eq=False)
class File:
    """An open file description and how many descriptors and mappings refer to it."""

    content: Content
    references: int = 1


Content = Map | LoadedProgram | PerfEvent | PlainFile
