# SPDX-License-Identifier: MIT
"""The kernel's objects: programs, trace events, perf events and their ring buffers.

`doubt` on an object says why its state cannot be known any more; empty while it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Helper, Jump
from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.helpers import KNOWN
from harness.model.interface.samples import fields, size_of_fields
from harness.model.interpreter import Code
from harness.model.maps import Map, ProgramArrayMap, RingBufferMap
from harness.model.memory import Region
from harness.model.surroundings import Surroundings
from harness.model.unpredictable import Unpredictable
from harness.script.operations import SampleType
from harness.script.outcome import Lost, Record, Sample

CALL = Class.JMP | Jump.CALL
LOCAL = 1
"""`src` of a call of the program's own function: BPF_PSEUDO_CALL."""


def may_print(instructions: tuple[Instruction, ...]) -> bool:
    """Returns whether a program, or one that it tail-calls, may call bpf_trace_printk."""
    return any(insn.code == CALL and insn.imm in (Helper.TRACE_PRINTK, Helper.TAIL_CALL) for insn in instructions)


def _calls_unknown(insn: Instruction) -> bool:
    return insn.code == CALL and insn.src != LOCAL and (insn.src != 0 or insn.imm not in KNOWN)


@dataclass(eq=False)
class LoadedProgram:
    """A loaded program. `maps` are keyed by the index of the instruction that loads them."""

    type: int
    instructions: tuple[Instruction, ...]
    code: Code
    maps: dict[int, Map]

    @property
    def may_print(self) -> bool:
        return may_print(self.instructions)

    def harms_nobody(self) -> bool:
        """Returns whether it ends and touches nothing but maps and buffers, whatever it is given: all helpers that it
        may call, in programs that it may tail-call, too, are known."""
        programs, arrays = [self], set[Map]()
        for program in programs:  # which grows
            if any(_calls_unknown(insn) for insn in program.instructions):
                return False
            for map in program.maps.values():
                if isinstance(map, ProgramArrayMap) and map not in arrays:
                    arrays.add(map)
                    if map.doubt:
                        return False
                    programs += map.programs()
        return True

    def doubt_maps(self, why: str) -> None:
        """Marks the contents of its maps as unknown: the program may have stored anything into them."""
        for map in self.maps.values():
            map.distrust(why)


@dataclass(eq=False)
class TraceEvent:
    """A probe made by kprobe_events (`symbol`), or a static tracepoint (None). `name` is the script's.

    `programs` are in the order they run. `record_size` is where the fields of a static tracepoint's record end, in
    bytes, None where nobody knows. `foreign` says that others than the script's own triggers reach it, at unknown
    times; `doubt` why nobody knows what happens when it is reached (`programs` are those that may run then), `unsure`
    why nobody knows whether there is such a trace event.
    """

    name: str
    symbol: str | None
    returns: bool = False
    foreign: bool = False
    removed: bool = False
    record_size: int | None = None
    events: list[PerfEvent] = field(default_factory=list)
    programs: list[LoadedProgram] = field(default_factory=list)
    doubt: str = ""
    unsure: str = ""
    hits: int = 0
    """How often the script's own triggers reached it while an event of it was open; at least so often where `uncounted`
    says why nobody knows."""
    uncounted: str = ""

    @property
    def others(self) -> str:
        """Why nobody knows how often it is reached, "" if only the script's own triggers reach it."""
        return f"others than the script reach {self.name}" if self.foreign else ""

    @property
    def reachable(self) -> bool:
        """Returns whether it has a perf event through which reaching it has effects, or may have."""
        return not self.removed and bool(self.events or self.doubt or self.unsure)


@dataclass(eq=False)
class Ring:
    """The data pages of a perf event, kernel/events/ring_buffer.c. Sizes in bytes."""

    size: int
    mappings: int = 0
    records: list[Record] = field(default_factory=list)
    _used: int = 0
    _lost: int = 0

    def write(self, sample: Sample, size: int) -> bool:
        """perf_output_begin(): writes a sample, or counts it as lost when it does not fit; a record of the lost ones
        precedes the next that fits.

        The head may not reach the tail, so one byte always stays free. Returns whether the record fits.
        """
        if self.size == 0:
            return False
        needed = size + (LOST_SIZE if self._lost else 0)
        if self.size - 1 - self._used < needed:
            self._lost += 1
            return False
        if self._lost:
            self.records.append(Lost(self._lost))
            self._lost = 0
        self.records.append(sample)
        self._used += needed
        return True

    def drain(self) -> tuple[Record, ...]:
        """Returns all records; the reader's tail moves up to the head."""
        records = tuple(self.records)
        self.records.clear()
        self._used = 0
        return records


LOST_SIZE = 24
"""PERF_RECORD_LOST: a header, an id and a count."""


@dataclass(eq=False, kw_only=True)
class Event:
    """An open perf event of any type. `task` is the task that it counts, None for every task, and `cpu` the CPU, -1 for
    every CPU."""

    surroundings: Surroundings
    sample_type: SampleType
    task: object | None
    enabled: bool
    cpu: int = -1
    count: int = 0
    ring: Ring | None = None
    doubt: str = ""
    ring_doubt: str = ""
    """Why nobody knows whether there is a ring, and of which size."""

    @property
    def counts(self) -> bool:
        """Returns whether what the caller does counts for it, if it is done on the right CPU."""
        return self.task in (None, self.surroundings.caller)

    def runs(self, environment: Environment) -> bool:
        """Returns whether it is enabled, and what the caller does there counts for it."""
        return self.enabled and self.counts and self.cpu in (-1, environment.cpu)

    @property
    def family(self) -> tuple[Event, ...]:
        """Returns the event and its children's: they are enabled, disabled and counted together."""
        return (self,)

    @property
    def why_unknown(self) -> str:
        """Returns why its count and its ring cannot be known; empty while they can."""
        return self.doubt

    def distrust(self, why: str) -> None:
        """Marks its state as unknown: anything may have happened to it."""
        self.doubt = self.doubt or why

    def output(self, environment: Environment, payload: Region) -> None:
        """Takes output of bpf_perf_event_output(): raises Errno EINVAL for all but events of one type."""
        raise Errno("EINVAL")

    def count_here(self, environment: Environment) -> int:
        """perf_event_read_local(): returns the count; raises Errno EINVAL for the event of another task, or of all
        tasks on another CPU."""
        if self.why_unknown:
            raise Unpredictable(self.why_unknown)
        if not self.counts or (self.task is None and self.cpu != environment.cpu):
            raise Errno("EINVAL")
        return self.count


@dataclass(eq=False, kw_only=True)
class PerfEvent(Event):
    """A perf event of a trace event. `period_left` is negative while a period runs, as in `struct hw_perf_event`.

    An event that children `inherit` has an event of its own in each of them, whose `original` it is.
    """

    trace_event: TraceEvent
    sample_period: int
    period_left: int = 0
    excludes_kernel: bool = False
    inherit: bool = False
    enable_on_exec: bool = False
    monotonic: bool = False
    original: PerfEvent | None = None
    inherited: list[PerfEvent] = field(default_factory=list)
    program: LoadedProgram | None = None
    """The program that was attached through it, where each perf event has its own."""

    @property
    def counts(self) -> bool:
        return super().counts and not self.excludes_kernel

    @property
    def family(self) -> tuple[Event, ...]:
        return (self, *self.inherited)

    @property
    def why_unknown(self) -> str:
        return self.doubt or self.trace_event.doubt

    def distrust(self, why: str) -> None:
        super().distrust(why)
        self.trace_event.doubt = self.trace_event.doubt or why


@dataclass(eq=False, kw_only=True)
class OutputEvent(Event):
    """An event of type PERF_COUNT_SW_BPF_OUTPUT: it counts nothing, and samples what programs pass to it."""

    def output(self, environment: Environment, payload: Region) -> None:
        """Writes a sample; raises Errno EOPNOTSUPP when it does not run on the program's CPU, ENOSPC when there is no
        room or no ring."""
        if self.why_unknown:
            raise Unpredictable(self.why_unknown)
        if not self.runs(environment):
            raise Errno("EOPNOTSUPP")
        size = 8 + size_of_fields(self.sample_type)
        sample = fields(environment, self.surroundings, self.sample_type, period=0)
        if SampleType.RAW in self.sample_type:
            padded = Region("a sample", (payload.size + 4 + 7 & ~7) - 4, garbage="padding of a sample")
            padded.copy(0, payload, 0, payload.size)
            sample, size = replace(sample, raw=padded.prediction()), size + 4 + padded.size
        if self.ring is None or not self.ring.write(sample, size):
            raise Errno("ENOSPC")


@dataclass(eq=False)
class PlainFile:
    """A file that is neither map nor program nor perf event."""

    path: str


@dataclass(eq=False)
class Mapping:
    """A mapping of a file, which it holds open until it is unmapped."""

    file: File
    unmapped: bool = False


@dataclass(eq=False, kw_only=True)
class RingMapping(Mapping):
    """A mapping of a perf event's ring buffer."""

    event: Event
    ring: Ring


@dataclass(eq=False, kw_only=True)
class BufferMapping(Mapping):
    """A mapping of a map of type RINGBUF."""

    map: RingBufferMap


@dataclass(eq=False)
class File:
    """An open file description and how many descriptors and mappings refer to it."""

    content: Content
    references: int = 1


Content = Map | LoadedProgram | Event | PlainFile
