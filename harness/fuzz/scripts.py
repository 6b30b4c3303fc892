"""Whole scripts: operations of every type in any order, on what was made, could not be made, or is gone.

Most steps make sense, so that there is something to go wrong; the rest are what nobody would write. All of it is safe
for a guest that goes on afterwards: nothing here locks a setting, kills the process, or writes over its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from harness.abi import perf
from harness.abi.capabilities import Capability
from harness.abi.pt_regs import PtRegs, pt_regs
from harness.essentials.parts import u32, u64
from harness.fuzz.bodies import MAGIC, SYMBOLS, Bodies
from harness.fuzz.naming import Namer
from harness.model.eras import Era
from harness.script.needs import Need
from harness.script.operations import (
    Attach,
    Branch,
    Buffer,
    Close,
    Concurrently,
    CreateKprobe,
    CreateMap,
    DeleteElement,
    Descriptor,
    Disable,
    Duplicate,
    Enable,
    FilterPacket,
    FindTracepoint,
    Fire,
    Ioctl,
    LoadProgram,
    LookupElement,
    MapPages,
    MapRing,
    MapRingBuffer,
    MapType,
    NextKey,
    OpenEvent,
    OpenFile,
    OpenOutput,
    Operation,
    Part,
    Pin,
    ProgramType,
    RawBpf,
    RawOpenEvent,
    ReadCount,
    ReadRing,
    ReadRingBuffer,
    Ref,
    RemoveKprobe,
    SampleType,
    Script,
    Unmap,
    UpdateElement,
    WriteKprobeEvents,
)
from harness.script.outcome import PerCpu
from harness.script.processes import Become, Execute, Exit, Fork, GetProcessId, LimitLockedMemory, SetName
from harness.script.surroundings import ClearTrace, ReadClock, ReadSetting, ReadTrace, SetSetting

SHAPES: tuple[tuple[int, int, int, int], ...] = (
    (MapType.ARRAY, 4, 8, 2),
    (MapType.ARRAY, 4, 8, 1),
    (MapType.HASH, 4, 8, 3),
    (MapType.PERCPU_ARRAY, 4, 8, 2),
    (MapType.LRU_HASH, 4, 8, 4),
    (MapType.PROG_ARRAY, 4, 4, 2),
    (MapType.PERF_EVENT_ARRAY, 4, 4, 2),
    (MapType.RINGBUF, 0, 0, 4096),
    (MapType.STACK_TRACE, 4, 64, 4),
    (13, 4, 4, 2),  # an array of maps, of which the model knows nothing
)
"""Type, sizes of key and value, entries."""
SAMPLES = (
    SampleType.TID | SampleType.CPU | SampleType.RAW,
    SampleType.TID,
    SampleType.PERIOD,
    SampleType(0),
    SampleType.STREAM_ID << 4,  # branch stacks
)
SETTINGS = (
    ("kernel/perf_event_paranoid", (-1, 1, 2, 3)),
    ("kernel/perf_event_mlock_kb", (0, 516)),
    ("kernel/kptr_restrict", (0, 2, 3)),
    ("kernel/unprivileged_bpf_disabled", (0, 2)),
    ("kernel/ftrace_enabled", (0, 1)),
)
FILES = ("/dev/null", "/dev/null", "/dev/zero", "/no/such/file", "/tracing/trace")
IOCTLS = ((0x2402, 2), (0x2403, 0), (0x2400, 0), (0x2401, 0), (0x40042409, 1), (0x5451, 0), (0x5001, 0))
"""Of events: refresh, reset, enable, disable, pause; of any file: close on exec; of none."""
COMMANDS = (
    "# nothing",
    "-:{}probe_0",
    "-:{}probe_1",
    "p:{}probe_0 cap_task_prctl",
    "p nowhere",
    "r:{}probe_1 null_lseek",
)
BPF_COMMANDS = (0, 1, 2, 3, 4, 12, 15, 21, 22, 1000)
QUERIES = (3, 7, 30)
"""Options of prctl(2) that tell whether a process may be dumped, keeps capabilities, and how late it is woken up."""
PACKET = bytes(range(64))
LEAST, MOST = 6, 22
CHILD = 0.25
"""So many scripts have a child."""


def scripts(seed: int, count: int, era: Era) -> Iterator[Script]:
    """The first `count` scripts of a seed for the lanes of one kernel; the same ones on every host."""
    return (script(seed, number, era) for number in range(count))


def script(seed: int, number: int, era: Era) -> Script:
    """One script: what most of them need, then anything."""
    random = Random(f"script/{seed}/{number}")
    writer = _Writer(random=random, era=era, registers=pt_regs(era.arch, era.name))
    operations = [*writer.beginning()]
    child = random.random() < CHILD
    before = random.randrange(LEAST, MOST)
    operations += (writer.any() for _ in range(before))
    if child:
        operations += writer.child()
    if random.random() < 0.05:
        operations.append(writer.threads())
    operations += (writer.any() for _ in range(random.randrange(LEAST)))
    operations += writer.end()
    needs = {Need.STACK}
    if any(isinstance(one, Concurrently) for one in operations):
        needs.add(Need.TWO_CPUS)
    return Script(f"script-{seed}-{number}", "a generated script", tuple(operations), needs=frozenset(needs))


@dataclass(kw_only=True)
class _Writer(Namer):
    era: Era
    registers: PtRegs
    shapes: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    changed: bool = False
    """Whether this process changed a setting."""

    def __post_init__(self) -> None:
        self.symbol = self.random.choice(SYMBOLS)

    def beginning(self) -> Iterator[Operation]:
        """A map, and perhaps a program on a probe that counts in it."""
        yield self.create_map(SHAPES[0])
        self.settle()
        if self.random.random() < 0.8:
            yield self.load_program(counts=True)
            yield self.create_kprobe()
            self.settle()
            yield self.open_event(plain=True)
            yield Attach(Ref("event_0"), Ref("program_0"))

    def end(self) -> Iterator[Operation]:
        """A look at what may have changed."""
        self.settle()
        if "event" in self.names:
            yield self.fire()
            yield ReadCount(Ref(self.names["event"][0]))
        yield LookupElement(Ref("map_0"), u32(0), 8)
        yield from (ReadRing(Ref(name)) for name in self.names.get("ring", ()))

    def any(self) -> Operation:
        self.settle()
        (step,) = self.random.choices(_STEPS, _WEIGHTS)
        return step(self)

    def child(self) -> Iterator[Operation]:
        """What the child names is nobody's afterwards, and is not named again."""
        yield Fork()
        self.settle()
        kept, changed, self.changed = {kind: list(names) for kind, names in self.names.items()}, self.changed, False
        spare, self.spare = self.spare, {}
        for mapped in ("ring", "buffer"):  # which a child must not touch
            self.names.pop(mapped, None)
        for _ in range(self.random.randrange(1, 6)):
            yield self.random.choice((self.any, self.only_child))()
            self.settle()
        if not self.changed and self.random.random() < 0.3:
            yield Execute("a line")
        yield Exit()
        self.names, self.changed, self.spare = kept, changed, spare
        self.pending.clear()

    def only_child(self) -> Operation:
        choices: list[Operation] = [
            LimitLockedMemory(self.random.choice((0, 4096, 64 << 10))),
            SetName(self.random.choice((b"tracer", b"a name that is too long"))),
        ]
        if not self.changed:
            kept = frozenset(one for one in Capability if self.random.random() < 0.5)
            choices += [Become(self.random.choice((0, 1000)), kept)] * 2
        return self.random.choice(choices)

    def threads(self) -> Operation:
        """Two, of which each does little, and nothing to a number that was closed: the executor may have it there."""
        self.settle()
        names = self.names
        self.names = {kind: [name for name in made if name not in self.closed] for kind, made in names.items()}
        branches = (Branch(cpu, tuple(self._small() for _ in range(self.random.randrange(1, 3)))) for cpu in (0, 1))
        threads = Concurrently(tuple(branches))
        self.names = names
        return threads

    def _small(self) -> Operation:
        known = any(self.names.values())
        return self.random.choice((self.fire, self.update, self.lookup, self.read_count) if known else (self.fire,))()

    def shape(self, of: Descriptor) -> tuple[int, int, int, int]:
        return self.shapes.get(of.name, SHAPES[0]) if isinstance(of, Ref) else SHAPES[0]

    def key(self, size: int = 4) -> bytes:
        return self.random.randrange(4).to_bytes(size, "little") if size else b""

    # Maps

    def create_map(self, shape: tuple[int, int, int, int] | None = None) -> Operation:
        shape = shape or self.random.choice(SHAPES)
        name = self.name("map")
        self.shapes[name] = shape
        flags = self.random.choice((0, 0, 0, 0, 1, 2))
        type, key_size, value_size, entries = shape
        return CreateMap(name, type, key_size, value_size, entries, flags if len(self.shapes) > 1 else 0)

    def lookup(self) -> Operation:
        of = self.descriptor("map")
        type, key_size, value_size, _ = self.shape(of)
        per_cpu = type == MapType.PERCPU_ARRAY
        size = 64 if self.random.random() < 0.1 and not per_cpu else value_size or 8
        return LookupElement(of, self.key(key_size or 4), size, per_cpu)

    def update(self) -> Operation:
        of = self.descriptor("map")
        type, key_size, _, _ = self.shape(of)
        key, flags = self.key(key_size or 4), self.random.choice((0, 0, 0, 1, 2))
        if type == MapType.PROG_ARRAY:
            return UpdateElement(of, key, self.ref("program"), flags)
        if type == MapType.PERF_EVENT_ARRAY:
            return UpdateElement(of, key, self.ref("output", "event"), flags)
        value = u64(self.random.randrange(100))
        return UpdateElement(of, key, PerCpu(value) if type == MapType.PERCPU_ARRAY else value.ljust(64, b"\0"), flags)

    def delete(self) -> Operation:
        of = self.descriptor("map")
        return DeleteElement(of, self.key(self.shape(of)[1] or 4))

    def next_key(self) -> Operation:
        of = self.descriptor("map")
        size = self.shape(of)[1] or 4
        return NextKey(of, None if self.random.random() < 0.3 else self.key(size), size)

    def map_ring_buffer(self) -> Operation:
        of = self.ref(*(("buffers",) if "buffers" in self.names else ("map",)))
        return MapRingBuffer(self.name("buffer"), of, 4096)

    def read_ring_buffer(self) -> Operation:
        buffers = self.names.get("buffer")
        return ReadRingBuffer(Ref(self.random.choice(buffers))) if buffers else self.map_ring_buffer()

    def map_pages(self) -> Operation:
        return MapPages(self.descriptor("map", "event"), self.random.randrange(3), 1, self.random.random() < 0.5)

    # Programs

    def load_program(self, *, counts: bool = False) -> Operation:
        maps = {name: self.shapes[name][0] for name in self.names["map"]}
        bodies = Bodies(self.random, self.era, self.registers, maps)
        type = ProgramType.KPROBE if counts or self.random.random() < 0.75 else ProgramType.SOCKET_FILTER
        if self.random.random() < 0.05 and not counts:
            return LoadProgram(self.name("program"), ProgramType.TRACEPOINT, bodies.kprobe(self.symbol))
        if type == ProgramType.SOCKET_FILTER:
            return LoadProgram(self.name("filter"), type, bodies.filter())
        return LoadProgram(self.name("program"), type, bodies.kprobe(self.symbol, counts=counts))

    def filter_packet(self) -> Operation:
        return FilterPacket(self.descriptor("filter"), PACKET)

    # Probes and events

    def create_kprobe(self) -> Operation:
        symbol = self.random.choice((self.symbol,) * 8 + (*SYMBOLS, "vfs_read", "no_such_function"))
        return CreateKprobe(self.name("probe"), symbol, returns=self.random.random() < 0.2)

    def remove_kprobe(self) -> Operation:
        probes = self.names.get("probe")
        return RemoveKprobe(Ref(self.random.choice(probes))) if probes else self.create_kprobe()

    def find_tracepoint(self) -> Operation:
        point = self.random.choice(("sched/sched_switch", "sched/no_such_point", "syscalls/sys_enter_getpid"))
        return FindTracepoint(self.name("point"), point)

    def open_event(self, *, plain: bool = False) -> Operation:
        if plain:
            return OpenEvent(self.name("event"), self.ref("probe"))
        pid: Ref | int = self.random.choice((0, 0, 0, 0, 0, -1, 1))
        if (processes := self.names.get("process")) and self.random.random() < 0.2:
            pid = Ref(self.random.choice(processes))
        return OpenEvent(
            self.name("event"),
            self.random.choice((1 << 20, 700)) if self.random.random() < 0.05 else self.ref("probe", "probe", "point"),
            pid,
            0 if pid == -1 else self.random.choice((-1, -1, -1, 0)),
            self.random.choice((1, 1, 1, 0, 3)),
            SampleType(self.random.choice(SAMPLES[:1] * 6 + SAMPLES)),
            disabled=self.random.random() < 0.15,
            inherit=self.random.random() < 0.1,
            enable_on_exec=self.random.random() < 0.1,
            close_on_exec=self.random.random() < 0.8,
        )

    def open_output(self) -> Operation:
        return OpenOutput(self.name("output"), cpu=self.random.choice((-1, 0)), disabled=self.random.random() < 0.1)

    def attach(self) -> Operation:
        return Attach(self.descriptor("event"), self.descriptor("program"))

    def enable(self) -> Operation:
        return self.random.choice((Enable, Disable))(self.descriptor("event", "output"))

    def read_count(self) -> Operation:
        return ReadCount(self.descriptor("event"))

    def map_ring(self) -> Operation:
        return MapRing(self.name("ring"), self.ref("event", "output"), self.random.choice((1, 2, 2, 3)))

    def read_ring(self) -> Operation:
        rings = self.names.get("ring")
        return ReadRing(Ref(self.random.choice(rings))) if rings else self.map_ring()

    def unmap(self) -> Operation:
        """It is not read any more."""
        rings = self.names.get("ring") or []
        if not rings:
            return self.map_ring()
        return Unmap(Ref(rings.pop(self.random.randrange(len(rings)))))

    def fire(self) -> Operation:
        times = self.random.choice((1, 1, 1, 2, 5))
        trigger = self.symbol if self.random.random() < 0.85 else self.random.choice(SYMBOLS)
        arguments = MAGIC[trigger].arguments
        if trigger == "cap_task_prctl":
            if self.random.random() < 0.05:
                return Fire(trigger, (self.random.choice(QUERIES),), times)
            return Fire(trigger, (*arguments, *(self.random.getrandbits(64) for _ in range(4))), times)
        if trigger == "find_task_by_vpid" and self.random.random() < 0.2:
            return Fire(trigger, (1,), times)
        return Fire(trigger, arguments, times)

    # Everything else

    def open_file(self) -> Operation:
        return OpenFile(self.name("file"), self.random.choice(FILES))

    def duplicate(self) -> Operation:
        kinds = [kind for kind in ("map", "program", "event") if self.names.get(kind)]
        kind = self.random.choice(kinds)
        of = self.ref(kind)
        name = self.name(kind)
        self.shapes[name] = self.shape(of)
        return Duplicate(name, of)

    def close(self) -> Operation:
        """It is rarely used again."""
        kind = self.random.choice(("map", "program", "event", "event", "file"))
        of = self.descriptor(kind)
        made = self.names.get(kind, [])
        if isinstance(of, Ref):
            self.closed.add(of.name)
        if isinstance(of, Ref) and of.name in made and len(made) > 1 and self.random.random() < 0.8:
            made.remove(of.name)
            self.spare.setdefault(kind, []).append(of.name)
        return Close(of)

    def raw_bpf(self) -> Operation:
        """Keys and values have room for those of any map here."""
        command = self.random.choice(BPF_COMMANDS)
        if command == 0:
            type, *sizes = self.random.choice(SHAPES)
            name = self.name("map")
            self.shapes[name] = (type, sizes[0], sizes[1], sizes[2])
            return RawBpf(0, tuple(Part(4 * at, 4, size) for at, size in enumerate((type, *sizes))), name=name)
        key, value = Buffer(self.key().ljust(8, b"\0")), Buffer(bytes(256))
        if command == 12:
            return RawBpf(command, (Part(0, 4, 0),))
        if command == 15:
            return RawBpf(command, (Part(0, 4, self.ref("map", "program")), Part(4, 4, 256), Part(8, 8, value)))
        return RawBpf(command, (Part(0, 4, self.ref("map")), Part(8, 8, key), Part(16, 8, value)))

    def raw_open_event(self) -> Operation:
        type, config = self.random.choice(((2, self.ref("probe")), (2, 1 << 20), (1, 1), (1, 10), (1 << 20, 0)))
        flags = self.random.choice((0, 1, perf.EXCLUDE_KERNEL, perf.FREQUENCY, 1 << 13))
        parts = ((0, 4, type), (4, 4, 112), (8, 8, config), (16, 8, 1), (24, 8, 0), (40, 8, flags))
        return RawOpenEvent(self.name("event"), tuple(Part(*part) for part in parts))

    def ioctl(self) -> Operation:
        return Ioctl(self.descriptor("event", "event", "map"), *self.random.choice(IOCTLS))

    def write_kprobe_events(self) -> Operation:
        return WriteKprobeEvents(self.random.choice(COMMANDS))

    def setting(self) -> Operation:
        path, values = self.random.choice(SETTINGS)
        if self.random.random() < 0.3:
            return ReadSetting(path)
        self.changed = True
        return SetSetting(path, self.random.choice(values))

    def surroundings(self) -> Operation:
        choices: tuple[Callable[[], Operation], ...] = (
            ClearTrace,
            ReadTrace,
            lambda: ReadClock(self.unnamed("clock")),
            lambda: GetProcessId(self.name("process")),
            lambda: Pin(self.random.choice((0, 77))),
        )
        return self.random.choice(choices)()


_TABLE: dict[Callable[[_Writer], Operation], int] = {
    _Writer.create_map: 6,
    _Writer.lookup: 8,
    _Writer.update: 8,
    _Writer.delete: 3,
    _Writer.next_key: 3,
    _Writer.map_ring_buffer: 1,
    _Writer.read_ring_buffer: 1,
    _Writer.map_pages: 1,
    _Writer.load_program: 6,
    _Writer.filter_packet: 4,
    _Writer.create_kprobe: 4,
    _Writer.remove_kprobe: 2,
    _Writer.find_tracepoint: 1,
    _Writer.open_event: 7,
    _Writer.open_output: 2,
    _Writer.attach: 7,
    _Writer.enable: 3,
    _Writer.read_count: 6,
    _Writer.map_ring: 4,
    _Writer.read_ring: 4,
    _Writer.unmap: 2,
    _Writer.fire: 12,
    _Writer.open_file: 1,
    _Writer.duplicate: 2,
    _Writer.close: 4,
    _Writer.raw_bpf: 2,
    _Writer.raw_open_event: 1,
    _Writer.ioctl: 1,
    _Writer.write_kprobe_events: 1,
    _Writer.setting: 1,
    _Writer.surroundings: 5,
}
_STEPS, _WEIGHTS = tuple(_TABLE), tuple(_TABLE.values())
