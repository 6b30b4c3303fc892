# SPDX-License-Identifier: MIT
"""Maps that BTF defines: parse_btf_map_def(), tools/lib/bpf/libbpf.c of 7.2.

Such a map is a variable of a structure in section .maps. What a number is, is the length of an array that a member
points to; what a type is, a member points to.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.objects.btf.reader import Btf
from harness.objects.btf.types import COMPOSITE, ENUMERATIONS, Kind, Member
from harness.objects.elf import Elf, Section
from harness.objects.map_types import OF_MAPS
from harness.objects.object_file import ObjectMap, Origin
from harness.objects.reasons import Reason, Refusal, Refused

_NUMBERS = {
    "type": "type",
    "max_entries": "max_entries",
    "map_flags": "flags",
    "key_size": "key_size",
    "value_size": "value_size",
}
_TOLD = {"numa_node": "node", "pinning": "pinning", "map_extra": "extra"}
_SLOT = 8
"""Bytes of a pointer in the definition."""


def btf_maps(elf: Elf, btf: Btf | None, section: Section) -> Iterator[ObjectMap | Refusal]:
    """The maps of a section; a Refusal in the place of what is none."""
    named = [symbol for symbol in elf.within(section.index) if symbol.kind == "OBJECT" and symbol.name]
    described = btf.sections().get(section.name) if btf else None
    variables = {} if btf is None or described is None else {
        (variable := btf.type(member.type)).name: (variable.word, member.offset) for member in described.members
    }  # fmt: skip
    for symbol in named:
        if btf is None or symbol.name not in variables:
            what = f"map {symbol.name} is in {section.name}, and no BTF describes it"
            yield Refusal(Reason.BAD_MAP, what, section.name, remedy="compile with -g")
            continue
        try:
            yield _map(elf, btf, section, symbol.name, variables[symbol.name][0], symbol.value)
        except Refused as error:
            yield error.refusal


def _map(elf: Elf, btf: Btf, section: Section, name: str, type: int, place: int) -> ObjectMap:
    _, structure = btf.plain(type)
    if structure.kind is not Kind.STRUCT:
        raise _bad(name, "is no structure", section)
    numbers: dict[str, int] = {}
    told: dict[str, int | str] = {}
    types: dict[str, str] = {}
    inner: ObjectMap | None = None
    slots: tuple[tuple[int, str], ...] = ()
    for member in structure.members:
        if member.name in _NUMBERS:
            numbers[_NUMBERS[member.name]] = _number(btf, name, member, section)
        elif member.name in _TOLD:
            if value := _number(btf, name, member, section):
                told[_TOLD[member.name]] = value
        elif member.name in ("key", "value"):
            pointed = _pointed(btf, name, member, section)
            size = btf.size(pointed)
            if numbers.setdefault(f"{member.name}_size", size) != size:
                raise _bad(name, f"has a {member.name} of two sizes", section)
            types[member.name] = btf.say(pointed)
        elif member.name == "values":
            inner = _inner(elf, btf, section, name, member)
            slots = tuple(_slots(elf, section, place + member.offset // 8, place + (structure.size or 0)))
            numbers.setdefault("value_size", 4)  # a descriptor, as parse_btf_map_def() of libbpf has it
        else:
            raise Refused(
                Reason.UNKNOWN_MAP_FIELD,
                f"map {name} has a field {member.name!r}, which no loader knows",
                section=section.name,
            )
    if "type" not in numbers:
        raise _bad(name, "has no type", section)
    if numbers["type"] in OF_MAPS:
        numbers.setdefault("key_size", 4)
        numbers.setdefault("value_size", 4)
    return ObjectMap(
        name,
        Origin.BTF,
        numbers["type"],
        numbers.get("key_size", 0),
        numbers.get("value_size", 0),
        numbers.get("max_entries", 0),
        numbers.get("flags", 0),
        inner=inner,
        slots=slots,
        told=told,
        key=types.get("key", ""),
        value=types.get("value", ""),
    )


def _number(btf: Btf, name: str, member: Member, section: Section) -> int:
    """`__uint(max_entries, 8)` points to an array of 8; `__ulong` is an enumeration with the one value."""
    _, found = btf.plain(member.type)
    if found.kind in ENUMERATIONS and len(found.members) == 1:
        return found.members[0].offset
    if found.kind is Kind.PTR:
        _, array = btf.plain(found.word)
        if array.kind is Kind.ARRAY:
            return array.elements
    raise _bad(name, f"has a field {member.name} that is no number", section)


def _pointed(btf: Btf, name: str, member: Member, section: Section) -> int:
    _, found = btf.plain(member.type)
    if found.kind is not Kind.PTR:
        raise _bad(name, f"has a field {member.name} that is no pointer", section)
    return found.word


def _inner(elf: Elf, btf: Btf, section: Section, name: str, member: Member) -> ObjectMap | None:
    """What the elements of a map of maps are; None for a map of programs, whose slots are functions."""
    _, array = btf.plain(member.type)
    _, pointer = btf.plain(array.word) if array.kind is Kind.ARRAY else (0, array)
    if array.kind is not Kind.ARRAY or pointer.kind is not Kind.PTR:
        raise _bad(name, "has values that are no array of pointers", section)
    number, held = btf.plain(pointer.word)
    if held.kind not in COMPOSITE:
        return None
    if any(one.name == "values" for one in held.members):
        raise _bad(name, "holds maps that hold maps", section)
    return _map(elf, btf, section, f"{name}.inner", number, 0)


def _slots(elf: Elf, section: Section, begin: int, end: int) -> Iterator[tuple[int, str]]:
    """What is put into the elements beforehand: relocations against the pointers of `values`."""
    following = [symbol.value for symbol in elf.within(section.index) if symbol.value >= end]
    limit = min(following, default=len(section.content))
    for relocation in elf.relocations.get(section.index, ()):
        if begin <= relocation.offset < limit:
            yield (relocation.offset - begin) // _SLOT, relocation.symbol.name


def _bad(name: str, what: str, section: Section) -> Refused:
    return Refused(Reason.BAD_MAP, f"map {name} {what}", section=section.name)
