# SPDX-License-Identifier: MIT
"""Steps of generated scripts about probes, the events on them, and triggers."""

from __future__ import annotations

from dataclasses import dataclass

from harness.abi import perf
from harness.abi.numbers import FIOCLEX, PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_TIMERSLACK
from harness.fuzz.bodies import MAGIC, SYMBOLS
from harness.fuzz.naming import Namer
from harness.script.operations import (
    Attach,
    CreateKprobe,
    Disable,
    Enable,
    FindTracepoint,
    Ioctl,
    MapRing,
    OpenEvent,
    OpenOutputEvent,
    Operation,
    Part,
    RawOpenEvent,
    ReadCount,
    ReadRing,
    Ref,
    RemoveKprobe,
    SampleType,
    Trigger,
    Unmap,
    WriteKprobeEvents,
)

SAMPLES = (
    SampleType.TID | SampleType.CPU | SampleType.RAW,
    SampleType.TID,
    SampleType.PERIOD,
    SampleType(0),
    SampleType(perf.SAMPLE_STACK_USER),
)
IOCTLS = (
    (perf.IOC_REFRESH, 2),
    (perf.IOC_RESET, 0),
    (perf.IOC_ENABLE, 0),
    (perf.IOC_DISABLE, 0),
    (perf.IOC_PAUSE_OUTPUT, 1),
    (FIOCLEX, 0),
    (0x5001, 0),
)
"""The requests of events, of any file, and of none."""
COMMANDS = (
    "# nothing",
    "-:{}probe_0",
    "-:{}probe_1",
    "p:{}probe_0 cap_task_prctl",
    "p nowhere",
    "r:{}probe_1 null_lseek",
)
QUERIES = (PR_GET_DUMPABLE, PR_GET_KEEPCAPS, PR_GET_TIMERSLACK)
"""Options of prctl(2) that return whether a process may be dumped, keeps capabilities, and its timer slack."""


@dataclass(kw_only=True)
class EventSteps(Namer):
    """Most probes of a script are on `symbol`, and most of what it fires reaches that."""

    symbol: str

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
        return OpenOutputEvent(
            self.name("output"), cpu=self.random.choice((-1, 0)), disabled=self.random.random() < 0.1
        )

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
        """Unmaps a ring, which is not read any more."""
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
                return Trigger(trigger, (self.random.choice(QUERIES),), times)
            return Trigger(trigger, (*arguments, *(self.random.getrandbits(64) for _ in range(4))), times)
        if trigger == "find_task_by_vpid" and self.random.random() < 0.2:
            return Trigger(trigger, (1,), times)
        return Trigger(trigger, arguments, times)

    def raw_open_event(self) -> Operation:
        type, config = self.random.choice(((2, self.ref("probe")), (2, 1 << 20), (1, 1), (1, 10), (1 << 20, 0)))
        flags = self.random.choice((0, 1, perf.EXCLUDE_KERNEL, perf.FREQUENCY, 1 << 13))
        parts = ((0, 4, type), (4, 4, 112), (8, 8, config), (16, 8, 1), (24, 8, 0), (40, 8, flags))
        return RawOpenEvent(self.name("event"), tuple(Part(*part) for part in parts))

    def ioctl(self) -> Operation:
        return Ioctl(self.descriptor("event", "event", "map"), *self.random.choice(IOCTLS))

    def write_kprobe_events(self) -> Operation:
        return WriteKprobeEvents(self.random.choice(COMMANDS))
