# SPDX-License-Identifier: MIT
"""Steps of generated scripts about maps and programs."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import u64
from harness.fuzz.bodies import Bodies
from harness.fuzz.naming import Namer
from harness.model.eras import Era
from harness.script.operations import (
    Buffer,
    CreateMap,
    DeleteElement,
    Descriptor,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapPages,
    MapRingBuffer,
    MapType,
    Operation,
    Part,
    ProgramType,
    RawBpf,
    ReadElements,
    ReadRingBuffer,
    Ref,
    RunSocketFilter,
    UpdateElement,
)
from harness.script.outcome import PerCpu

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
BPF_COMMANDS = (0, 1, 2, 3, 4, 12, 15, 21, 22, 1000)
PACKET = bytes(range(64))


@dataclass(kw_only=True)
class MapSteps(Namer):
    """Programs of probes are for the script's own hits of `symbol`; `shapes` are those of its maps, by name."""

    era: Era
    registers: PtRegs
    symbol: str
    shapes: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)

    def shape(self, of: Descriptor) -> tuple[int, int, int, int]:
        return self.shapes.get(of.name, SHAPES[0]) if isinstance(of, Ref) else SHAPES[0]

    def key(self, size: int = 4) -> bytes:
        return self.random.randrange(4).to_bytes(size, "little") if size else b""

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
        if self.random.random() < 0.2:
            return ReadElements(of, size, 8, most=8)
        return GetNextKey(of, None if self.random.random() < 0.3 else self.key(size), size)

    def map_ring_buffer(self) -> Operation:
        of = self.ref(*(("buffers",) if "buffers" in self.names else ("map",)))
        return MapRingBuffer(self.name("buffer"), of, 4096)

    def read_ring_buffer(self) -> Operation:
        buffers = self.names.get("buffer")
        return ReadRingBuffer(Ref(self.random.choice(buffers))) if buffers else self.map_ring_buffer()

    def map_pages(self) -> Operation:
        return MapPages(self.descriptor("map", "event"), self.random.randrange(3), 1, self.random.random() < 0.5)

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
        return RunSocketFilter(self.descriptor("filter"), PACKET)

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
