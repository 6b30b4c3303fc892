"""The typed operations a script is made of.

An operation that makes something (a map, a program, a probe, an event) names it; later operations refer to it by that
name. A reference to something whose making failed stands for -1, in the guest as in the model, so error paths compose;
one to what no operation makes is a mistake, and told when the script is built.
Each operation is one system call, or the few that only make sense together (write `kprobe_events`, read the `id`).
Every operation is here by its name, those that are defined in modules of their own, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.abi.bpf import MapType as MapType
from harness.abi.bpf import ProgramType as ProgramType
from harness.abi.bpf import UpdateFlag as UpdateFlag
from harness.abi.perf import SampleType as SampleType
from harness.isa.instruction import Instruction
from harness.script.malformed import Malformed
from harness.script.needs import Need
from harness.script.outcome import Outcome, PerCpu
from harness.script.processes import Execute as Execute
from harness.script.processes import Exit as Exit
from harness.script.processes import Fork as Fork
from harness.script.processes import GetProcessId as GetProcessId
from harness.script.processes import LimitLockedMemory as LimitLockedMemory
from harness.script.processes import ProcessOperation
from harness.script.processes import SetCredentials as SetCredentials
from harness.script.processes import SetName as SetName
from harness.script.source import Source
from harness.script.surroundings import ClearTrace as ClearTrace
from harness.script.surroundings import ReadClock as ReadClock
from harness.script.surroundings import ReadSetting as ReadSetting
from harness.script.surroundings import ReadTrace as ReadTrace
from harness.script.surroundings import SetSetting as SetSetting
from harness.script.surroundings import SurroundingsOperation


@dataclass(frozen=True)
class Ref:
    """What an earlier operation of the script made under this name: a file descriptor, or the id of a trace event."""

    name: str


Descriptor = Ref | int
"""A file descriptor: of something the script made, or a plain number for error paths."""


@dataclass(frozen=True)
class Buffer:
    """Bytes the script puts into the memory of the calling process; stands for their address. `guarded` they end where
    memory ends: the byte behind them cannot be read."""

    content: bytes
    guarded: bool = False


@dataclass(frozen=True)
class Untouched:
    """So many bytes of the calling process's memory that nobody has touched yet, so that no page is there; stands for
    their address."""

    nbytes: int


@dataclass(frozen=True)
class Program:
    """Instructions, and the maps they refer to: `maps[i]` is the map whose descriptor goes into the immediate of
    instruction `i`, the first half of a `BPF_LD_IMM64` with source `BPF_PSEUDO_MAP_FD`."""

    instructions: tuple[Instruction, ...]
    maps: tuple[tuple[int, Ref], ...] = ()


@dataclass(frozen=True)
class CreateMap:
    """bpf(BPF_MAP_CREATE)."""

    name: str
    type: MapType | int
    key_size: int
    value_size: int
    max_entries: int
    flags: int = 0


@dataclass(frozen=True)
class LookupElement:
    """bpf(BPF_MAP_LOOKUP_ELEM): the outcome's data is the value, `value_size` bytes. `key` None is a null pointer.

    With `per_cpu`, as many for each possible CPU, each rounded up to a multiple of eight.
    """

    map: Descriptor
    key: bytes | None
    value_size: int
    per_cpu: bool = False


@dataclass(frozen=True)
class UpdateElement:
    """bpf(BPF_MAP_UPDATE_ELEM). `key` None is a null pointer; a `Ref` as value is the descriptor's number, 32 bits."""

    map: Descriptor
    key: bytes | None
    value: bytes | Ref | PerCpu
    flags: UpdateFlag | int = UpdateFlag.ANY


@dataclass(frozen=True)
class DeleteElement:
    """bpf(BPF_MAP_DELETE_ELEM). `key` None is a null pointer."""

    map: Descriptor
    key: bytes | None


@dataclass(frozen=True)
class GetNextKey:
    """bpf(BPF_MAP_GET_NEXT_KEY): the outcome's data is the next key. `key` None is a null pointer."""

    map: Descriptor
    key: bytes | None
    key_size: int


@dataclass(frozen=True)
class LoadProgram:
    """bpf(BPF_PROG_LOAD). `kern_version` None is the running kernel's own LINUX_VERSION_CODE.

    With `log_level` the outcome's text is the verifier's log.
    """

    name: str
    type: ProgramType | int
    program: Program
    license: str = "GPL"
    kern_version: int | None = None
    log_level: int = 0
    log_size: int = 65536

    @property
    def log_nbytes(self) -> int:
        """How many bytes there are for the verifier's log; none where nobody asks for it."""
        return self.log_size if self.log_level else 0


@dataclass(frozen=True)
class CreateKprobe:
    """Writes `p:` or `r:` (`returns`) into tracefs' kprobe_events and reads the id of the new trace event.

    Success yields the id. The trace event is called `hil/<unique name>`, so that scripts never meet.
    """

    name: str
    symbol: str
    returns: bool = False
    offset: int = 0


@dataclass(frozen=True)
class RemoveKprobe:
    """Writes `-:` into kprobe_events for a probe of this script."""

    probe: Ref


@dataclass(frozen=True)
class FindTracepoint:
    """Reads the id of a static tracepoint, `sched/sched_switch` for one."""

    name: str
    tracepoint: str


@dataclass(frozen=True)
class OpenEvent:
    """perf_event_open(2) of type PERF_TYPE_TRACEPOINT on the trace event with id `config`.

    `pid` 0 is the calling thread, -1 every task; `cpu` -1 every CPU. `inherit` lets it count children that are forked
    later, `enable_on_exec` enables it when the task executes a program; samples of a `monotonic` one tell the time by
    CLOCK_MONOTONIC, others by the scheduler's clock.
    """

    name: str
    config: Ref | int
    pid: Ref | int = 0
    cpu: int = -1
    sample_period: int = 1
    sample_type: SampleType = SampleType.TID | SampleType.CPU | SampleType.RAW
    disabled: bool = False
    inherit: bool = False
    enable_on_exec: bool = False
    close_on_exec: bool = True
    monotonic: bool = False


@dataclass(frozen=True)
class OpenOutputEvent:
    """perf_event_open(2) of type PERF_TYPE_SOFTWARE, PERF_COUNT_SW_BPF_OUTPUT: an event that samples only what programs
    hand to bpf_perf_event_output through a map that holds it. `pid` and `cpu` are as in `OpenEvent`.
    """

    name: str
    pid: int = 0
    cpu: int = -1
    sample_type: SampleType = SampleType.TID | SampleType.CPU | SampleType.RAW
    disabled: bool = False


@dataclass(frozen=True)
class MapRing:
    """mmap(2) of the event's ring buffer: one control page and `data_pages` (a power of two), writable."""

    name: str
    event: Descriptor
    data_pages: int = 2


@dataclass(frozen=True)
class ReadRing:
    """Consumes every record the ring buffer holds; the outcome's records, oldest first."""

    ring: Ref


@dataclass(frozen=True)
class MapRingBuffer:
    """mmap(2) of a map of type RINGBUF with `size` bytes of data, as consumers do it: the consumer's page writable,
    then the producer's page and the data, twice in a row, to be read only. One outcome for both calls."""

    name: str
    map: Descriptor
    size: int


@dataclass(frozen=True)
class ReadRingBuffer:
    """Consumes every record of a mapped ring buffer map, discarded ones too; the outcome's records, oldest first."""

    buffer: Ref


@dataclass(frozen=True)
class MapPages:
    """mmap(2), shared, of `count` pages of a descriptor from page `first` on, and munmap(2) if that worked."""

    descriptor: Descriptor
    first: int
    count: int
    writable: bool = False


@dataclass(frozen=True)
class ReadCount:
    """read(2) of the event: how many hits it counted."""

    event: Descriptor


@dataclass(frozen=True)
class Attach:
    """ioctl(PERF_EVENT_IOC_SET_BPF)."""

    event: Descriptor
    program: Descriptor


@dataclass(frozen=True)
class Enable:
    """ioctl(PERF_EVENT_IOC_ENABLE)."""

    event: Descriptor


@dataclass(frozen=True)
class Disable:
    """ioctl(PERF_EVENT_IOC_DISABLE)."""

    event: Descriptor


@dataclass(frozen=True)
class Trigger:
    """Makes the calling process reach a probed kernel function with chosen arguments, `times` times.

    `trigger` names a row of `harness.script.triggers`; `arguments` are the values that row lets one choose. The
    outcome's value is what the system call returned (of the last round).
    """

    trigger: str
    arguments: tuple[int | Buffer | Untouched, ...] = ()
    times: int = 1


@dataclass(frozen=True)
class OpenFile:
    """open(2) with O_RDWR | O_CLOEXEC: a descriptor that is neither map, program nor event."""

    name: str
    path: str = "/dev/null"


@dataclass(frozen=True)
class Duplicate:
    """dup(2)."""

    name: str
    of: Descriptor


@dataclass(frozen=True)
class Close:
    """close(2)."""

    descriptor: Descriptor


@dataclass(frozen=True)
class Unmap:
    """munmap(2) of what MapRing or MapRingBuffer mapped."""

    ring: Ref


@dataclass(frozen=True)
class RunSocketFilter:
    """Attaches a socket filter (SO_ATTACH_BPF) to one end of a datagram socket pair and sends `packet` to it.

    The outcome's value is how many bytes arrived, that is the program's verdict cut to the packet's length; 0 when the
    program dropped the packet. The way to run a program where there are no kprobes.
    """

    program: Descriptor
    packet: bytes


@dataclass(frozen=True)
class Part:
    """`size` bytes at `offset` of a structure: a number, what a name stands for, or the address of a buffer."""

    offset: int
    size: int
    value: int | Ref | Buffer


@dataclass(frozen=True)
class RawBpf:
    """bpf(2) with whatever a caller may hand over, for error paths.

    `size` is the third argument; `length` is how many bytes there really are (None: `size` of them), the byte behind
    them cannot be read. `address` replaces the pointer to them. A descriptor it returns gets `name`, if there is one.
    """

    command: int
    parts: tuple[Part, ...] = ()
    size: int = 48
    length: int | None = None
    address: int | None = None
    name: str | None = None

    @property
    def nbytes(self) -> int:
        """How many bytes the script itself hands over."""
        if self.address is not None:
            return 0
        return self.size if self.length is None else self.length


@dataclass(frozen=True)
class RawOpenEvent:
    """perf_event_open(2) with whatever a caller may hand over; the fields are as in `RawBpf`.

    `parts` must hold `size` at offset 4 where it is not meant to be 0.
    """

    name: str
    parts: tuple[Part, ...]
    pid: int = 0
    cpu: int = -1
    group: int = -1
    flags: int = 8  # PERF_FLAG_FD_CLOEXEC
    length: int = 112


@dataclass(frozen=True)
class Ioctl:
    """ioctl(2) of any number on any descriptor."""

    descriptor: Descriptor
    request: int
    argument: int = 0


@dataclass(frozen=True)
class WriteKprobeEvents:
    """write(2) of one command to tracefs' kprobe_events, as it is. `{}` in it is the script's own group and the prefix
    of names it may use, so that scripts never meet; what it makes, it must remove itself."""

    command: str


@dataclass(frozen=True)
class Pin:
    """sched_setaffinity(2): the calling thread runs on this CPU from now on; on the first one when a script begins."""

    cpu: int


@dataclass(frozen=True)
class Thread:
    """Operations one after the other, in a thread of their own on one CPU."""

    cpu: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True)
class RunThreads:
    """Threads of the calling process, which begin together; the operation ends when all of them have.

    The outcome's threads are those of the threads' operations. Threads hold no `RunThreads` themselves, and nothing
    that is about processes.
    """

    threads: tuple[Thread, ...]


Operation = (
    CreateMap
    | LookupElement
    | UpdateElement
    | DeleteElement
    | GetNextKey
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


@dataclass(frozen=True)
class Script:
    """An ordered list of operations; `name` is unique and stable, `sentence` says what the script shows.

    `expected`, if it is not empty, runs parallel to the operations: what somebody who read the kernel's rules says of
    each, beside the model; None where it does not matter. On a lane without all of `needs` the script is not run.
    `source` is where the kernel decides what a clause says.
    """

    name: str
    sentence: str
    operations: tuple[Operation, ...]
    expected: tuple[Outcome | None, ...] = ()
    needs: frozenset[Need] = frozenset()
    source: Source | None = None

    def __post_init__(self) -> None:
        """Malformed for operations where they make no sense, for names and triggers that there are not, and for what
        would harm what runs behind the script."""
        from harness.script.checks import complaint  # which knows every operation

        if wrong := complaint(self.operations, self.expected):
            raise Malformed(f"{self.name}: {wrong}")
