# SPDX-License-Identifier: MIT
"""Programs, maps, links and BTF of a running kernel by their identifiers, as bpf(2) lists them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from errno import ENOENT

from harness.abi.bpf import MAP_CREATE, OBJECT_INFO, PROG_INFO, PROG_LOAD, Command, MapType, ProgramType
from harness.abi.bpf_objects import (
    FD_BY_ID,
    FD_TYPES,
    INFO_SIZE,
    LINK_TYPES,
    MAP_NAME,
    NAME_SIZE,
    NEXT_ID,
    PROG_NAME,
    TASK_FD_QUERY,
    Listing,
)
from harness.abi.system_calls import number
from harness.isa.assemble import exit_, mov64_imm
from harness.isa.instruction import encode
from harness.isa.opcodes import R0
from harness.objects.map_types import type_name
from harness.run.executed import KernelObject
from hil.agent.builder import BatchBuilder
from hil.agent.client import Agent
from hil.agent.results import BatchResult, NotCarriedOut
from hil.agent.steps import Address, Result
from hil.machine import speed

AT_ONCE = 32
"""Objects that one exchange asks for."""
DEADLINE = 20.0
"""Nominal seconds for an exchange."""


@dataclass(frozen=True)
class _Kind:
    """A kind of objects: the commands that list them and give a descriptor, and the words for what they tell."""

    name: str
    next: Listing
    get: Listing | None = None


_KINDS = (
    _Kind("program", Listing.PROG_GET_NEXT_ID, Listing.PROG_GET_FD_BY_ID),
    _Kind("map", Listing.MAP_GET_NEXT_ID, Listing.MAP_GET_FD_BY_ID),
    _Kind("link", Listing.LINK_GET_NEXT_ID, Listing.LINK_GET_FD_BY_ID),
    _Kind("BTF", Listing.BTF_GET_NEXT_ID),
)


class Identifiers:
    """Asks the kernel through an agent, which runs on a target of architecture `arch`."""

    def __init__(self, agent: Agent, arch: str) -> None:
        self._agent = agent
        self.kinds: set[str] = set()
        """The kinds that the kernel was seen to have identifiers of."""
        self._bpf = number(arch, "bpf")
        self._close = number(arch, "close")

    def objects(self) -> Iterator[KernelObject]:
        """Yields every object of every kind that the kernel gives identifiers; none before 4.13."""
        for kind in _KINDS:
            start = 0
            while (found := list(self._some(kind, start))) and len(found) == AT_ONCE:
                yield from (one for _, one in found)
                start = found[-1][0]
            yield from (one for _, one in found)

    def attached(self, descriptors: Sequence[tuple[int, int]]) -> dict[tuple[int, int], str]:
        """Returns what perf events are attached to, by process and descriptor; as far as the kernel says."""
        found: dict[tuple[int, int], str] = {}
        for begin in range(0, len(descriptors), AT_ONCE):
            part = descriptors[begin : begin + AT_ONCE]
            builder = BatchBuilder()
            reads = [self._query(builder, *one) for one in part]
            result = self._exchange(builder)
            for one, (called, attribute, name) in zip(part, reads, strict=True):
                if not result.done(called).errno:
                    found[one] = _attachment(result.done(attribute).data, result.done(name).data)
        return found

    def next_numbers(self) -> tuple[int | None, int | None]:
        """Returns the identifiers that a program and a map made now get, by making them; None where the kernel has no
        identifiers. They count up and are not used again."""
        builder = BatchBuilder()
        code = encode((mov64_imm(R0, 0), exit_()))
        insns, license = builder.alloc(code), builder.alloc(b"GPL\0")
        attribute = bytearray(PROG_LOAD.pack({"prog_type": ProgramType.SOCKET_FILTER, "insn_cnt": 2}))
        load = builder.alloc(bytes(attribute))
        for field, place in (("insns", insns), ("license", license)):
            builder.store(load + PROG_LOAD.fields[field].offset, 8, place)
        program = self._number(builder, Command.PROG_LOAD, load, PROG_LOAD.size)
        fields = {"map_type": MapType.ARRAY, "key_size": 4, "value_size": 4, "max_entries": 1}
        create = builder.alloc(MAP_CREATE.pack(fields))
        map_ = self._number(builder, Command.MAP_CREATE, create, MAP_CREATE.size)
        result = self._exchange(builder)
        return _number(result, *program), _number(result, *map_)

    def _number(self, builder: BatchBuilder, command: Command, attribute: Address, size: int) -> tuple[Result, Result]:
        """Makes an object; returns the call that asks what it is, and the reading of its number."""
        made = builder.syscall(self._bpf, command, attribute, size)
        info = builder.alloc(PROG_INFO.size)
        asked, read = self._info(builder, made, info, PROG_INFO.size)
        builder.syscall(self._close, made)
        return asked, read

    def _info(self, builder: BatchBuilder, descriptor: Result, room: Address, size: int) -> tuple[Result, Result]:
        ask = builder.alloc(OBJECT_INFO.pack({"info_len": size}))
        builder.store(ask, 4, descriptor)
        builder.store(ask + OBJECT_INFO.fields["info"].offset, 8, room)
        asked = builder.syscall(self._bpf, Command.OBJ_GET_INFO_BY_FD, ask, OBJECT_INFO.size)
        return asked, builder.read(room, size)

    def _some(self, kind: _Kind, start: int) -> Iterator[tuple[int, KernelObject]]:
        """Up to AT_ONCE objects with greater identifiers than `start`, each with its own."""
        builder = BatchBuilder()
        following = builder.alloc(NEXT_ID.pack({"start_id": start}))
        next_id = NEXT_ID.fields["next_id"].offset
        steps = []
        for _ in range(AT_ONCE):
            room = builder.alloc(INFO_SIZE)
            found = builder.syscall(self._bpf, kind.next, following, NEXT_ID.size)
            with builder.unless_failed(found):
                this = builder.load(following + next_id, 4)
                builder.store(following, 4, this)
                info = None
                if kind.get is not None:
                    by_id = builder.alloc(FD_BY_ID.size)
                    builder.store(by_id, 4, this)
                    opened = builder.syscall(self._bpf, kind.get, by_id, FD_BY_ID.size)
                    with builder.unless_failed(opened):
                        _, info = self._info(builder, opened, room, INFO_SIZE)
                        builder.syscall(self._close, opened)
            steps.append((found, this, info))
        result = self._exchange(builder)
        for found, this, info in steps:
            errno = result.done(found).errno
            if errno in (0, ENOENT):  # nothing beyond the last one; EINVAL where there is no such command
                self.kinds.add(kind.name)
            if errno:
                return
            identity = result.done(this).value
            yield identity, KernelObject(kind.name, str(identity), _words(kind, identity, _data(result, info)))

    def _query(self, builder: BatchBuilder, process: int, descriptor: int) -> tuple[Result, Result, Result]:
        name = builder.alloc(128)
        attribute = builder.alloc(TASK_FD_QUERY.pack({"pid": process, "fd": descriptor, "buf_len": 128}))
        builder.store(attribute + TASK_FD_QUERY.fields["buf"].offset, 8, name)
        called = builder.syscall(self._bpf, Listing.TASK_FD_QUERY, attribute, TASK_FD_QUERY.size)
        return called, builder.read(attribute, TASK_FD_QUERY.size), builder.read(name, 128)

    def _exchange(self, builder: BatchBuilder) -> BatchResult:
        (result,) = self._agent.exchange([builder.build(DEADLINE * speed.scale())])
        return result


def _data(result: BatchResult, read: Result | None) -> bytes:
    """What a step read; nothing where it was skipped, because the object went away meanwhile."""
    try:
        return b"" if read is None else result.done(read).data
    except NotCarriedOut:
        return b""


def _number(result: BatchResult, asked: Result, read: Result) -> int | None:
    if result.done(asked).errno:
        return None
    return _u32(result.done(read).data, PROG_INFO.fields["id"].offset)


def _words(kind: _Kind, identity: int, info: bytes) -> str:
    if not info:
        return f"{kind.name} {identity}"
    type_ = _u32(info, 0)
    match kind.name:
        case "program":
            name, tag = _text(info[PROG_NAME : PROG_NAME + NAME_SIZE]), info[8:16].hex()
            return " ".join(filter(None, (f"program {identity}:", _program_type(type_), name, f"tag {tag}")))
        case "map":
            name = _text(info[MAP_NAME : MAP_NAME + NAME_SIZE])
            key, value, entries = (_u32(info, offset) for offset in (8, 12, 16))
            sizes = f"key {key} value {value} entries {entries}"
            return " ".join(filter(None, (f"map {identity}:", type_name(type_), name, sizes)))
    known = LINK_TYPES[type_] if type_ < len(LINK_TYPES) else f"type {type_}"
    return f"link {identity}: {known}, program {_u32(info, 8)}"


def _program_type(value: int) -> str:
    return ProgramType(value).name.lower() if value in [*ProgramType] else f"type {value}"


def _attachment(attribute: bytes, name: bytes) -> str:
    value = {field: _unsigned(attribute, TASK_FD_QUERY.fields[field].offset) for field in ("prog_id", "fd_type")}
    type_ = value["fd_type"] & 0xFFFF_FFFF
    known = FD_TYPES[type_] if type_ < len(FD_TYPES) else f"type {type_}"
    offset = _unsigned(attribute, TASK_FD_QUERY.fields["probe_offset"].offset, 8)
    place = _text(name) or f"{_unsigned(attribute, TASK_FD_QUERY.fields['probe_addr'].offset, 8):#x}"
    return f"perf event on {known} {place}{f'+{offset:#x}' if offset else ''}, program {value['prog_id']}"


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="replace")


def _u32(data: bytes, offset: int) -> int:
    return _unsigned(data, offset)


def _unsigned(data: bytes, offset: int, size: int = 4) -> int:
    return int.from_bytes(data[offset : offset + size], "little")
