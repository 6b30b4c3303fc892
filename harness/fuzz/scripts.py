# SPDX-License-Identifier: MIT
"""Whole scripts: operations of every type in any order, on what was made, could not be made, or is gone.

Most steps make sense, so that there is something to go wrong; the rest do not. All of it is safe
for a guest that goes on afterwards: nothing here locks a setting, kills the process, or writes over its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from harness.abi.capabilities import Capability
from harness.abi.pt_regs import pt_regs
from harness.core_scripts.parts import u32
from harness.fuzz.bodies import SYMBOLS
from harness.fuzz.event_steps import EventSteps
from harness.fuzz.map_steps import SHAPES, MapSteps
from harness.model.eras import Era
from harness.script.needs import Need
from harness.script.operations import (
    Attach,
    Close,
    Duplicate,
    LookupElement,
    OpenFile,
    Operation,
    Pin,
    ReadCount,
    ReadProfile,
    ReadRing,
    ReadRuns,
    Ref,
    RunThreads,
    Script,
    Thread,
)
from harness.script.processes import Execute, Exit, Fork, GetProcessId, LimitLockedMemory, SetCredentials, SetName
from harness.script.surroundings import ClearTrace, ReadClock, ReadSetting, ReadTrace, SetSetting

SETTINGS = (
    ("kernel/perf_event_paranoid", (-1, 1, 2, 3)),
    ("kernel/perf_event_mlock_kb", (0, 516)),
    ("kernel/kptr_restrict", (0, 2, 3)),
    ("kernel/unprivileged_bpf_disabled", (0, 2)),
    ("kernel/ftrace_enabled", (0, 1)),
)
FILES = ("/dev/null", "/dev/null", "/dev/zero", "/no/such/file", "/tracing/trace")
LEAST, MOST = 6, 22
CHILD = 0.25
"""The share of scripts with a child."""


def scripts(seed: int, count: int, era: Era) -> Iterator[Script]:
    """The first `count` scripts of a seed for the lanes of one kernel; the same ones on every host."""
    return (script(seed, number, era) for number in range(count))


def script(seed: int, number: int, era: Era) -> Script:
    """Returns one script: first what most of them need, then anything."""
    random = Random(f"script/{seed}/{number}")
    registers = pt_regs(era.arch, era.name)
    writer = _Writer(random=random, era=era, registers=registers, symbol=random.choice(SYMBOLS))
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
    if any(isinstance(one, RunThreads) for one in operations):
        needs.add(Need.TWO_CPUS)
    return Script(f"script-{seed}-{number}", "a generated script", tuple(operations), needs=frozenset(needs))


@dataclass(kw_only=True)
class _Writer(MapSteps, EventSteps):
    closed: set[str] = field(default_factory=set)
    changed: bool = False
    """Whether this process changed a setting."""

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
        """Reads what may have changed."""
        self.settle()
        if "event" in self.names:
            yield self.fire()
            yield ReadCount(Ref(self.names["event"][0]))
        yield from (ReadProfile(Ref(name)) for name in self.names.get("probe", ())[:1])
        yield from (ReadRuns(Ref(name)) for name in self.names.get("program", ())[:1])
        yield LookupElement(Ref("map_0"), u32(0), 8)
        yield from (ReadRing(Ref(name)) for name in self.names.get("ring", ()))

    def any(self) -> Operation:
        self.settle()
        (step,) = self.random.choices(_STEPS, _WEIGHTS)
        return step(self)

    def child(self) -> Iterator[Operation]:
        """Yields a child's operations; its names have no meaning afterwards, and are not used again."""
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
            choices += [SetCredentials(self.random.choice((0, 1000)), kept)] * 2
        return self.random.choice(choices)

    def threads(self) -> Operation:
        """Two, of which each does little, and nothing to a number that was closed: the executor may have it there."""
        self.settle()
        names = self.names
        self.names = {kind: [name for name in made if name not in self.closed] for kind, made in names.items()}
        threads = (Thread(cpu, tuple(self._small() for _ in range(self.random.randrange(1, 3)))) for cpu in (0, 1))
        operation = RunThreads(tuple(threads))
        self.names = names
        return operation

    def _small(self) -> Operation:
        known = any(self.names.values())
        return self.random.choice((self.fire, self.update, self.lookup, self.read_count) if known else (self.fire,))()

    # What is about anything

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
        """Closes a descriptor, which is rarely used again."""
        kind = self.random.choice(("map", "program", "event", "event", "file"))
        of = self.descriptor(kind)
        made = self.names.get(kind, [])
        if isinstance(of, Ref):
            self.closed.add(of.name)
        if isinstance(of, Ref) and of.name in made and len(made) > 1 and self.random.random() < 0.8:
            made.remove(of.name)
            self.spare.setdefault(kind, []).append(of.name)
        return Close(of)

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
