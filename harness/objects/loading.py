# SPDX-License-Identifier: MIT
"""A program of an object as operations of a script: make its maps, load it, attach it, read the maps.

    prepared = prepare(read(content), KernelFacts.of(kernel, cpus=2))
    loader = Loader(prepared)
    operations = (*loader.load(program), *loader.attach(program))

Each operation comes with its stage, so that the failure of one is told as what it means. What is done, and in which
order, is what libbpf does: bpf_object__create_maps(), bpf_object__load_progs(), attach_kprobe() and its neighbours,
tools/lib/bpf/libbpf.c (7.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum

from harness.abi import perf
from harness.abi.bpf import Command
from harness.objects.map_types import NUMBERS, OF_MAPS
from harness.objects.object_file import ObjectMap, ObjectProgram, Origin
from harness.objects.own_types import OwnTypes, own_types
from harness.objects.places import Place, place
from harness.objects.preparing import Prepared
from harness.objects.reasons import Reason, Refused
from harness.objects.sections import Meaning
from harness.script.checks import LONGEST_PROBE
from harness.script.operations import (
    Attach,
    Buffer,
    CreateKprobe,
    EventSource,
    FindTracepoint,
    Functions,
    LoadProgram,
    LookupElement,
    OpenEvent,
    Operation,
    Part,
    Pointers,
    RawBpf,
    RawOpenEvent,
    ReadElements,
    Ref,
    RunSocketFilter,
    UpdateElement,
)

MOST_READ = 64
"""The most elements of a map that are read."""
PACKET = bytes(64)
"""What is sent through a socket filter."""
PER_CPU = frozenset(NUMBERS[name] for name in ("percpu_hash", "percpu_array", "lru_percpu_hash"))
"""The types of maps that have a value for each CPU."""
_ARRAYS = frozenset(NUMBERS[name] for name in ("array", "percpu_array"))
_HASHES = frozenset(NUMBERS[name] for name in ("hash", "percpu_hash", "lru_hash", "lru_percpu_hash"))
_PROGRAMS = NUMBERS["prog_array"]
_INNER_FD = 20
"""The offset of inner_map_fd in `union bpf_attr`, which is 4 bytes long."""


ATTACH_TYPES_SINCE = (4, 17)
"""The release since which programs are loaded for an attach type: 5e43f899b03a."""
LOOPBACK_INDEX = 1
"""LOOPBACK_IFINDEX, include/net/flow.h."""
_CONFIG_1, _CONFIG_2 = 56, 64
"""The fields of struct perf_event_attr that are `uprobe_path` and `probe_offset`."""
_PAGE_FAULTS = (
    Part(perf.ATTR.fields["type"].offset, 4, perf.TYPE_SOFTWARE),
    Part(perf.ATTR.fields["size"].offset, 4, perf.ATTR.size),
    Part(perf.ATTR.fields["config"].offset, 8, perf.COUNT_SW_PAGE_FAULTS),
    Part(perf.ATTR.fields["sample_period"].offset, 8, 1),
)
"""What programs of section perf_event are attached to, which leaves the event to the loader: each page fault."""


class Stage(StrEnum):
    """What an operation is for."""

    TYPES = "types"
    """For the types of a program's functions, without which it can be loaded as well."""
    MAPS = "maps"
    LOAD = "load"
    ATTACH = "attach"
    PARTNER = "partner"
    """For the other half of a pair, which is attached as well."""
    FIRE = "fire"
    READ = "read"


@dataclass(frozen=True)
class Step:
    """An operation, its stage, and the map or the program that it is about."""

    stage: Stage
    operation: Operation
    subject: str


def _user_event(name: str, where: Place, *, returns: bool) -> RawOpenEvent:
    """Returns the call that opens an event at a place of a file, in every process that has it mapped: the program runs
    on each CPU, whichever one the event is for (__uprobe_perf_func(), kernel/trace/trace_uprobe.c)."""
    fields = perf.ATTR.fields
    values = (("type", EventSource("uprobe")), ("size", perf.ATTR.size), ("config", int(returns)), ("sample_period", 1))
    parts = (
        *(Part(fields[field].offset, fields[field].size, value) for field, value in values),
        Part(_CONFIG_1, 8, Buffer(where.target.encode() + b"\0")),
        Part(_CONFIG_2, 8, where.offset),
    )
    return RawOpenEvent(name, parts, pid=-1, cpu=0)


def _link_of_several(program: ObjectProgram, said: Meaning, where: Place) -> RawBpf:
    """Returns the call that links a program to functions by their names: one, or those that match a pattern."""
    names: Pointers | Functions = Pointers((Buffer(where.target.encode() + b"\0"),))
    count: int | Functions = 1
    if where.pattern:
        names = count = Functions(where.pattern)
    returns = int(said.returns)  # BPF_F_KPROBE_MULTI_RETURN
    numbers = ((0, Ref(program.name)), (8, said.attach_type), (16, returns), (20, count))
    parts = (*(Part(offset, 4, value) for offset, value in numbers), Part(24, 8, names))
    return RawBpf(Command.LINK_CREATE, parts, name=f"link of {program.name}")


@dataclass
class Loader:
    """Returns the steps for programs of one object, in one script: a map or a program that is there already is not made
    again. `kern_version` overrides the version in the object; 0 is the running kernel's."""

    prepared: Prepared
    kern_version: int | None = None
    made: set[str] = field(default_factory=set)
    probes: int = 0
    untyped: dict[str, str] = field(default_factory=dict)
    """Why programs are loaded without the types of their functions, by their names."""

    def load(self, program: ObjectProgram) -> Iterator[Step]:
        """Yields the steps that make the maps of a program and load it; raises Refused for a program that cannot be
        passed to this kernel."""
        if (refusal := self.prepared.refused.get(program.name)) is not None:
            raise Refused(
                refusal.reason,
                refusal.what,
                section=refusal.section,
                instruction=refusal.instruction,
                line=refusal.line,
                remedy=refusal.remedy,
            )
        if program.name in self.made:
            return
        self.made.add(program.name)
        used = self.maps(program)
        for map in used:
            yield from self._create(map)
        file = self.prepared.file
        version = self.kern_version if self.kern_version is not None else file.kern_version
        assert program.meaning is not None
        said, kernel = program.meaning, self.prepared.kernel
        own = own_types(program, file.btf, kernel.release)
        if isinstance(own, OwnTypes):
            yield Step(Stage.TYPES, own.load, program.name)
        elif own:
            self.untyped[program.name] = own
        load = LoadProgram(
            program.name,
            said.type,
            program.program,
            file.license or "",
            version or None,
            attach_type=said.attach_type if kernel.release >= ATTACH_TYPES_SINCE else 0,
            attach_to=self.prepared.targets.get(program.name, 0),
            flags=said.flags,
            types=own.types if isinstance(own, OwnTypes) else None,
        )
        yield Step(Stage.LOAD, load, program.name)
        for map in used:
            yield from self._fill_with_programs(map)

    def attach(self, program: ObjectProgram) -> Iterator[Step]:
        """Yields the steps that attach a loaded program by the name of its section; none where the bench cannot."""
        said = program.meaning
        where = None if said is None else place(said, self.prepared.kernel)
        if where is None or said is None:
            return
        self.probes += 1
        event = f"event of {program.name}"
        match where.kind:
            case "kprobe" | "kretprobe":
                plain = re.sub(r"\W", "_", program.name, flags=re.ASCII)
                probe = f"p{self.probes}_{plain}"[:LONGEST_PROBE]
                returns = where.kind == "kretprobe"
                yield self._attaching(program, CreateKprobe(probe, where.target, returns, where.offset))
                yield self._attaching(program, OpenEvent(event, Ref(probe)))
            case "tracepoint":
                found = f"tracepoint of {program.name}"
                yield self._attaching(program, FindTracepoint(found, where.target))
                yield self._attaching(program, OpenEvent(event, Ref(found)))
            case "raw_tracepoint":
                name = Buffer(where.target.encode() + b"\0")
                parts = (Part(0, 8, name), Part(8, 4, Ref(program.name)))
                opened = RawBpf(Command.RAW_TRACEPOINT_OPEN, parts, name=f"link of {program.name}")
                yield self._attaching(program, opened)
                return
            case "trampoline" | "typed_tracepoint":
                number = (Part(8, 4, Ref(program.name)),)
                opened = RawBpf(Command.RAW_TRACEPOINT_OPEN, number, name=f"link of {program.name}")
                yield self._attaching(program, opened)
                return
            case "multi":
                yield self._attaching(program, _link_of_several(program, said, where))
                return
            case "device":
                numbers = ((0, Ref(program.name)), (4, LOOPBACK_INDEX), (8, said.attach_type))
                linked = tuple(Part(offset, 4, value) for offset, value in numbers)
                yield self._attaching(program, RawBpf(Command.LINK_CREATE, linked, name=f"link of {program.name}"))
                return
            case "iterator":
                link = f"link of {program.name}"
                parts = (Part(0, 4, Ref(program.name)), Part(8, 4, said.attach_type))
                yield self._attaching(program, RawBpf(Command.LINK_CREATE, parts, name=link))
                made = RawBpf(Command.ITER_CREATE, (Part(0, 4, Ref(link)),), name=f"iterator of {program.name}")
                yield self._attaching(program, made)
                return
            case "uprobe":
                yield self._attaching(program, _user_event(event, where, returns=said.returns))
            case "perf_event":
                yield self._attaching(program, RawOpenEvent(event, _PAGE_FAULTS, pid=-1, cpu=0))
            case _:
                yield Step(Stage.ATTACH, RunSocketFilter(Ref(program.name), PACKET), program.name)
                return
        yield self._attaching(program, Attach(Ref(event), Ref(program.name)))

    def read(self, program: ObjectProgram) -> Iterator[Step]:
        """Yields the steps that read the maps of a program: the first elements of arrays and hashes."""
        for map in self.maps(program):
            if map.type in _ARRAYS and map.key_size == 4 and not map.frozen:
                for index in range(min(map.max_entries, MOST_READ)):
                    key = index.to_bytes(4, "little")
                    read = LookupElement(Ref(map.name), key, map.value_size, map.type in PER_CPU)
                    yield Step(Stage.READ, read, map.name)
            elif map.type in _HASHES:
                most = min(map.max_entries, MOST_READ) or 1
                elements = ReadElements(Ref(map.name), map.key_size, map.value_size, map.type in PER_CPU, most)
                yield Step(Stage.READ, elements, map.name)

    def maps(self, program: ObjectProgram) -> tuple[ObjectMap, ...]:
        """Returns the maps that a program refers to, in the order of the object."""
        names = {ref.name for _, ref in program.program.maps}
        return tuple(map for map in self.prepared.file.maps if map.name in names)

    def _attaching(self, program: ObjectProgram, operation: Operation) -> Step:
        return Step(Stage.ATTACH, operation, program.name)

    def _create(self, map: ObjectMap) -> Iterator[Step]:
        if map.name in self.made:
            return
        self.made.add(map.name)
        for _, name in map.slots:
            if (inner := self.prepared.file.map(name)) is not None and map.origin is not Origin.OPERATIONS:
                yield from self._create(inner)
        create = map.create(self.prepared.kernel.cpus)
        if map.type in OF_MAPS and map.inner is not None:
            inner_name = f"what {map.name} holds"
            inner_map = replace(map.inner, name=inner_name).create(self.prepared.kernel.cpus)
            yield Step(Stage.MAPS, inner_map, map.name)
            fields = (create.type, create.key_size, create.value_size, create.max_entries, create.flags)
            parts = [Part(4 * at, 4, int(value)) for at, value in enumerate(fields)]
            parts.append(Part(_INNER_FD, 4, Ref(inner_name)))
            yield Step(Stage.MAPS, RawBpf(Command.MAP_CREATE, tuple(parts), name=map.name), map.name)
        else:
            yield Step(Stage.MAPS, create, map.name)
        if map.content is not None and any(map.content) and map.origin in (Origin.DATA, Origin.CONFIG):
            yield Step(Stage.MAPS, UpdateElement(Ref(map.name), bytes(4), map.content), map.name)
        if map.frozen:
            yield Step(Stage.MAPS, RawBpf(Command.MAP_FREEZE, (Part(0, 4, Ref(map.name)),)), map.name)
        for index, name in map.slots if map.type in OF_MAPS else ():
            if self.prepared.file.map(name) is None:
                raise Refused(Reason.BAD_MAP, f"slot {index} of {map.name} is for {name!r}, which is no map")
            yield Step(Stage.MAPS, UpdateElement(Ref(map.name), index.to_bytes(4, "little"), Ref(name)), map.name)

    def _fill_with_programs(self, map: ObjectMap) -> Iterator[Step]:
        """Tail calls: programs of the object in slots of a program array are loaded and put there. Raises Refused for
        one that cannot be, as libbpf does: without it, a tail call would go on where nobody expects it to."""
        if map.type != _PROGRAMS:
            return
        by_name = {program.name: program for program in self.prepared.file.programs}
        for index, name in map.slots:
            if (other := by_name.get(name)) is None:
                raise Refused(Reason.BAD_MAP, f"slot {index} of {map.name} is for {name!r}, which is no program")
            yield from self.load(other)
            key = index.to_bytes(4, "little")
            yield Step(Stage.MAPS, UpdateElement(Ref(map.name), key, Ref(name)), map.name)
