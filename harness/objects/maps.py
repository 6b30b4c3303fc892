# SPDX-License-Identifier: MIT
"""The maps that an object defines, in each of the ways that there are."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from harness.abi.bpf import MapFlag
from harness.objects.btf.reader import Btf
from harness.objects.btf_maps import btf_maps
from harness.objects.elf import Elf, Section
from harness.objects.functions import section_ends
from harness.objects.map_types import NUMBERS
from harness.objects.object_file import ObjectMap, Origin
from harness.objects.reasons import Reason, Refusal, Refused
from harness.objects.sections import is_data

ONE_A_SECTION, BTF, ARENA = "maps/", ".maps", ".addr_space.1"
OPERATIONS = (".struct_ops", ".struct_ops.link")
_TAILS = {
    28: ("inner map index", "node"),
    36: ("id", "pinning", "inner id", "inner index"),
}
"""What is behind type, sizes, entries and flags, by the length of a record in bytes: struct bpf_map_def of libbpf
before 0.8 (20), of samples/bpf (28, bpf_load.h), and struct bpf_elf_map of iproute2 (36, bpf_elf.h)."""
_F_LINK = 1 << 13
"""BPF_F_LINK: the operations take effect by a link of their own. Since 6.4."""
_GOBPF = struct.Struct("6I256s")
"""struct bpf_map_def of gobpf (elf/include/bpf_map.h): type, sizes, entries, flags, pinning, and its namespace."""


def maps(elf: Elf, btf: Btf | None) -> tuple[tuple[ObjectMap, ...], tuple[Refusal, ...]]:
    """The maps, but for .kconfig, in the order of their sections, and what is wrong with those that are missing."""
    found: dict[str, ObjectMap] = {}
    refused: list[Refusal] = []
    for section in elf.sections:
        for one in _of_section(elf, btf, section):
            if isinstance(one, Refusal):
                refused.append(one)
            else:
                found.setdefault(one.name, one)
    return tuple(found.values()), tuple(refused)


def _of_section(elf: Elf, btf: Btf | None, section: Section) -> Iterator[ObjectMap | Refusal]:
    try:
        if is_legacy(section.name):
            yield from _legacy(elf, section)
        elif section.name.startswith(ONE_A_SECTION):
            yield _one(elf, section)
        elif section.name == BTF:
            yield from btf_maps(elf, btf, section)
        elif is_data(section.name) and section.content and section.kind in ("SHT_PROGBITS", "SHT_NOBITS"):
            yield data_map(section.name, section.content)
        elif section.name in OPERATIONS:
            yield from _operations(elf, btf, section)
        elif section.name == ARENA and section.content:
            yield ObjectMap(ARENA, Origin.ARENA, NUMBERS["arena"], 0, 0, 0, MapFlag.MMAPABLE, section.content)
    except Refused as error:
        yield error.refusal


def is_legacy(section: str) -> bool:
    """Whether the section holds records of maps: `maps`, or as ir-keytable has it, `lirc_mode2/maps`."""
    return section == "maps" or (section.endswith("/maps") and not section.startswith(ONE_A_SECTION))


def data_map(section: str, content: bytes) -> ObjectMap:
    """Global data as libbpf keeps it: an array with one element."""
    flags = MapFlag.MMAPABLE | (MapFlag.RDONLY_PROG if section.startswith(".rodata") else 0)
    return ObjectMap(section, Origin.DATA, NUMBERS["array"], 4, len(content), 1, int(flags), content)


def _legacy(elf: Elf, section: Section) -> Iterator[ObjectMap | Refusal]:
    """As many records as symbols, all of one length: bpf_object__init_user_maps() of libbpf 0.8."""
    symbols = [symbol for symbol in elf.within(section.index) if symbol.kind != "SECTION" and symbol.name]
    ends = section_ends(symbols, section)
    for symbol in symbols:
        try:
            end = symbol.value + symbol.size if symbol.size else ends[symbol.value]
            record = section.content[symbol.value : end]
            yield _record(elf, symbol.name, record, Origin.LEGACY, section.name)
        except Refused as error:
            yield error.refusal


def _record(elf: Elf, name: str, record: bytes, origin: Origin, section: str) -> ObjectMap:
    if len(record) < 16 or len(record) % 4:
        raise _short(name, record, section)
    order = "<" if elf.byte_order == "little" else ">"
    type, key_size, value_size, entries, *more = struct.unpack(f"{order}{len(record) // 4}I", record)
    flags, tail = (more[0] if more else 0), more[1:]
    names = _TAILS.get(len(record), ())
    if any(tail[len(names) :]):
        raise Refused(
            Reason.UNKNOWN_MAP_FIELD,
            f"map {name} has a definition of {len(record)} bytes, and what is behind the first {20 + 4 * len(names)}"
            " is known to no loader",
            section=section,
        )
    told = {name: value for name, value in zip(names, tail, strict=False) if value}
    return ObjectMap(name, origin, type, key_size, value_size, entries, flags, told=told)


def _short(name: str, record: bytes, section: str) -> Refused:
    return Refused(
        Reason.BAD_MAP, f"map {name} has a definition of {len(record)} bytes, of at least 16", section=section
    )


def _one(elf: Elf, section: Section) -> ObjectMap:
    """A section that holds one map and has its name, as gobpf and what descends from it read it."""
    name = section.name.removeprefix(ONE_A_SECTION)
    if len(section.content) != _GOBPF.size:
        return _record(elf, name, section.content, Origin.ONE_A_SECTION, section.name)
    order = "<" if elf.byte_order == "little" else ">"
    type, key, value, entries, flags, pinning, space = struct.unpack(f"{order}{_GOBPF.format}", section.content)
    told: dict[str, int | str] = {"pinning": pinning} if pinning else {}
    if text := space.split(b"\0", 1)[0].decode("ascii", "replace"):
        told["namespace"] = text
    return ObjectMap(name, Origin.ONE_A_SECTION, type, key, value, entries, flags, told=told)


def _operations(elf: Elf, btf: Btf | None, section: Section) -> Iterator[ObjectMap]:
    """Each variable of the section is a map that takes the place of operations of the kernel."""
    for symbol in elf.within(section.index):
        if symbol.kind != "OBJECT":
            continue
        slots = tuple(
            (relocation.offset - symbol.value, relocation.symbol.name)
            for relocation in elf.relocations.get(section.index, ())
            if symbol.value <= relocation.offset < symbol.value + symbol.size
        )
        content = section.content[symbol.value : symbol.value + symbol.size]
        flags = _F_LINK if section.name.endswith(".link") else 0
        value = _type_of(btf, section.name, symbol.name)
        yield ObjectMap(
            symbol.name,
            Origin.OPERATIONS,
            NUMBERS["struct_ops"],
            4,
            len(content),
            1,
            flags,
            content,
            slots=slots,
            value=value,
        )


def _type_of(btf: Btf | None, section: str, name: str) -> str:
    described = btf.sections().get(section) if btf else None
    if btf is None or described is None:
        return ""
    for member in described.members:
        variable = btf.type(member.type)
        if variable.name == name:
            return btf.say(variable.word)
    return ""
