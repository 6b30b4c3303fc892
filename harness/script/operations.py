# SPDX-License-Identifier: MIT
"""The typed operations a script is made of.

An operation that makes something (a map, a program, a probe, an event) names it; later operations refer to it by that
name. A reference to something whose making failed stands for -1, in the guest as in the model, so error paths compose;
one to a name that no operation makes is an error, raised when the script is built.
Each operation is one system call, or the few that only make sense together (write `kprobe_events`, read the `id`).
Every operation can be imported from here, also those that are defined in modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.abi.bpf import MapType as MapType
from harness.abi.bpf import ProgramType as ProgramType
from harness.abi.bpf import UpdateFlag as UpdateFlag
from harness.abi.perf import SampleType as SampleType
from harness.script.events import Attach as Attach
from harness.script.events import CreateKprobe as CreateKprobe
from harness.script.events import Disable as Disable
from harness.script.events import Enable as Enable
from harness.script.events import FindTracepoint as FindTracepoint
from harness.script.events import MapRing as MapRing
from harness.script.events import OpenEvent as OpenEvent
from harness.script.events import OpenOutputEvent as OpenOutputEvent
from harness.script.events import ReadCount as ReadCount
from harness.script.events import ReadProfile as ReadProfile
from harness.script.events import ReadRing as ReadRing
from harness.script.events import RemoveKprobe as RemoveKprobe
from harness.script.events import Trigger as Trigger
from harness.script.files import Close as Close
from harness.script.files import Duplicate as Duplicate
from harness.script.files import OpenFile as OpenFile
from harness.script.files import Unmap as Unmap
from harness.script.malformed import Malformed
from harness.script.maps import CreateMap as CreateMap
from harness.script.maps import DeleteElement as DeleteElement
from harness.script.maps import GetNextKey as GetNextKey
from harness.script.maps import LookupElement as LookupElement
from harness.script.maps import MapPages as MapPages
from harness.script.maps import MapRingBuffer as MapRingBuffer
from harness.script.maps import ReadElements as ReadElements
from harness.script.maps import ReadRingBuffer as ReadRingBuffer
from harness.script.maps import UpdateElement as UpdateElement
from harness.script.needs import Need
from harness.script.outcome import Outcome
from harness.script.processes import Execute as Execute
from harness.script.processes import Exit as Exit
from harness.script.processes import Fork as Fork
from harness.script.processes import GetProcessId as GetProcessId
from harness.script.processes import LimitLockedMemory as LimitLockedMemory
from harness.script.processes import ProcessOperation
from harness.script.processes import SetCredentials as SetCredentials
from harness.script.processes import SetName as SetName
from harness.script.programs import LoadProgram as LoadProgram
from harness.script.programs import ReadRuns as ReadRuns
from harness.script.programs import RunSocketFilter as RunSocketFilter
from harness.script.raw import Ioctl as Ioctl
from harness.script.raw import Part as Part
from harness.script.raw import RawBpf as RawBpf
from harness.script.raw import RawOpenEvent as RawOpenEvent
from harness.script.raw import WriteKprobeEvents as WriteKprobeEvents
from harness.script.source import Source
from harness.script.surroundings import ClearTrace as ClearTrace
from harness.script.surroundings import ReadClock as ReadClock
from harness.script.surroundings import ReadSetting as ReadSetting
from harness.script.surroundings import ReadTrace as ReadTrace
from harness.script.surroundings import SetSetting as SetSetting
from harness.script.surroundings import SurroundingsOperation
from harness.script.values import Buffer as Buffer
from harness.script.values import Descriptor as Descriptor
from harness.script.values import EventSource as EventSource
from harness.script.values import Functions as Functions
from harness.script.values import Pointers as Pointers
from harness.script.values import Program as Program
from harness.script.values import Ref as Ref
from harness.script.values import Types as Types
from harness.script.values import Untouched as Untouched


@dataclass(frozen=True)
class Pin:
    """sched_setaffinity(2): the calling thread runs on this CPU from now on; a script begins on the first one."""

    cpu: int


@dataclass(frozen=True)
class Thread:
    """Operations one after the other, in a thread of its own on one CPU."""

    cpu: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class RunThreads:
    """Threads of the calling process, which begin together; the operation ends when all of them have.

    The outcome's `threads` are the outcomes of the threads' operations. Threads hold no `RunThreads` themselves, and no
    operation on processes.
    """

    threads: tuple[Thread, ...]


Operation = (
    CreateMap
    | LookupElement
    | UpdateElement
    | DeleteElement
    | GetNextKey
    | ReadElements
    | LoadProgram
    | CreateKprobe
    | RemoveKprobe
    | FindTracepoint
    | OpenEvent
    | OpenOutputEvent
    | MapRing
    | ReadRing
    | MapRingBuffer
    | ReadRingBuffer
    | MapPages
    | ReadCount
    | ReadProfile
    | ReadRuns
    | Attach
    | Enable
    | Disable
    | Trigger
    | OpenFile
    | Duplicate
    | Close
    | Unmap
    | RunSocketFilter
    | RawBpf
    | RawOpenEvent
    | Ioctl
    | WriteKprobeEvents
    | ProcessOperation
    | SurroundingsOperation
    | Pin
    | RunThreads
)


def flat(operations: Sequence[Operation]) -> Iterator[Operation]:
    """Yields operations, and those of their threads."""
    for operation in operations:
        yield operation
        if isinstance(operation, RunThreads):
            for thread in operation.threads:
                yield from flat(thread.operations)


@dataclass(frozen=True)
class Script:
    """An ordered list of operations; `name` is unique and stable, `sentence` says what the script shows.

    `expected`, if it is not empty, runs parallel to the operations: what somebody who read the kernel's rules expects
    of each, beside the model; None where it does not matter. On a lane without all of `needs` the script is not run.
    `source` is where the kernel decides what a clause says.
    """

    name: str
    sentence: str
    operations: tuple[Operation, ...]
    expected: tuple[Outcome | None, ...] = ()
    needs: frozenset[Need] = frozenset()
    source: Source | None = None

    def __post_init__(self) -> None:
        """Raises Malformed for operations where they make no sense, for names and triggers that do not exist, and for
        what would harm scripts that run after this one."""
        from harness.script.checks import complaint  # which knows every operation

        if wrong := complaint(self.operations, self.expected):
            raise Malformed(f"{self.name}: {wrong}")
