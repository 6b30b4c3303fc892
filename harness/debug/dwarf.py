# SPDX-License-Identifier: MIT
"""Writes a kernel's own types (BTF) as debug information (DWARF) for gdb, which does not read BTF.

The format: DWARF 4, https://dwarfstd.org/dwarf4std.html; one compilation unit that has types, and no code. Functions
and variables of BTF are left out: it does not say where they are.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from elftools.dwarf.enums import ENUM_DW_AT, ENUM_DW_FORM, ENUM_DW_TAG

from harness.objects.btf.reader import Btf
from harness.objects.btf.types import COMPOSITE, ENUMERATIONS, Kind, Member, Type

_VERSION, _POINTER = 4, 8
_LANGUAGE = 0x0C
"""DW_LANG_C99"""
_ENCODINGS = {(False, False): 7, (True, False): 5, (True, True): 6, (False, True): 8}
"""DW_ATE_* of a whole number: whether it has a sign, whether it is a character, of which gdb prints arrays as text."""
_BOOLEAN, _FLOAT = 2, 4
_CHARACTERS = ("char", "signed char", "unsigned char")
"""BTF_INT_CHAR, which would tell them, is set by no compiler."""
_LARGEST_SIGNED = (1 << 63) - 1
_TAGS = {
    Kind.STRUCT: "DW_TAG_structure_type",
    Kind.UNION: "DW_TAG_union_type",
    Kind.PTR: "DW_TAG_pointer_type",
    Kind.TYPEDEF: "DW_TAG_typedef",
    Kind.CONST: "DW_TAG_const_type",
    Kind.VOLATILE: "DW_TAG_volatile_type",
    Kind.RESTRICT: "DW_TAG_restrict_type",
}
_SIZES = {"data1": "<B", "data4": "<I", "data8": "<Q", "strp": "<I"}


@dataclass(frozen=True)
class Sections:
    """The contents of the sections that hold it, by name."""

    info: bytes
    abbreviations: bytes
    strings: bytes

    def by_name(self) -> dict[str, bytes]:
        return {".debug_info": self.info, ".debug_abbrev": self.abbreviations, ".debug_str": self.strings}


def dwarf(types: Btf) -> Sections:
    """Returns the types as debug information; raises Refused when they are damaged."""
    writer = _Writer(types)
    for number in range(1, len(types)):
        writer.add(number, types.type(number))
    return writer.finished()


class _Writer:
    """The entries written so far. A reference to a type is filled in at the end, since types refer to later ones."""

    def __init__(self, types: Btf) -> None:
        self._types = types
        self._info = bytearray(struct.pack("<IHIB", 0, _VERSION, 0, _POINTER))
        self._strings = bytearray(1)
        self._known: dict[str, int] = {"": 0}
        self._shapes: dict[tuple[str, bool, tuple[tuple[str, str], ...]], int] = {}
        self._places: dict[int, int] = {}
        self._references: list[tuple[int, int]] = []
        self._entry("DW_TAG_compile_unit", *_name("types of the kernel"), ("language", "data1", _LANGUAGE), inside=True)

    def add(self, number: int, type: Type) -> None:
        """Adds a type; harmless for what is none."""
        place = len(self._info)
        match type.kind:
            case Kind.INT:
                encoding = _ENCODINGS[type.signed, type.name in _CHARACTERS]
                self._base(type, _BOOLEAN if type.is_bool else encoding)
            case Kind.FLOAT:
                self._base(type, _FLOAT)
            case Kind.ARRAY:
                self._entry("DW_TAG_array_type", *self._type(type.word), inside=True)
                self._entry("DW_TAG_subrange_type", ("count", "data4", type.elements))
                self._end()
            case Kind.FWD:
                tag = _TAGS[Kind.UNION if type.flag else Kind.STRUCT]
                self._entry(tag, *_name(type.name), ("declaration", "flag_present", 0))
            case Kind.FUNC_PROTO:
                self._function(type)
            case kind if kind in COMPOSITE:
                self._entry(_TAGS[kind], *_name(type.name), ("byte_size", "data4", type.word), inside=True)
                for member in type.members:
                    self._member(member)
                self._end()
            case kind if kind in ENUMERATIONS:
                tag = "DW_TAG_enumeration_type"
                self._entry(tag, *_name(type.name), ("byte_size", "data1", type.word), inside=True)
                for member in type.members:
                    form = "sdata" if member.offset <= _LARGEST_SIGNED else "data8"
                    self._entry("DW_TAG_enumerator", *_name(member.name), ("const_value", form, member.offset))
                self._end()
            case kind if kind in _TAGS:
                self._entry(_TAGS[kind], *_name(type.name), *self._type(type.word))
            case _:
                return
        self._places[number] = place

    def finished(self) -> Sections:
        """Returns everything, with all references."""
        self._end()
        for place, number in self._references:
            struct.pack_into("<I", self._info, place, self._places[number])
        struct.pack_into("<I", self._info, 0, len(self._info) - 4)
        table = bytearray()
        for (tag, inside, attributes), code in self._shapes.items():
            table += _uleb(code) + _uleb(ENUM_DW_TAG[tag]) + bytes([inside])
            for attribute, form in attributes:
                table += _uleb(ENUM_DW_AT[attribute]) + _uleb(ENUM_DW_FORM[form])
            table += b"\0\0"
        return Sections(bytes(self._info), bytes(table) + b"\0", bytes(self._strings))

    def _base(self, type: Type, encoding: int) -> None:
        size = ("byte_size", "data1", type.word)
        self._entry("DW_TAG_base_type", *_name(type.name), size, ("encoding", "data1", encoding))

    def _function(self, type: Type) -> None:
        prototyped = ("prototyped", "flag_present", 0)
        self._entry("DW_TAG_subroutine_type", prototyped, *self._type(type.word), inside=bool(type.members))
        for parameter in type.members:
            if parameter.type:
                self._entry("DW_TAG_formal_parameter", *self._type(parameter.type))
            else:
                self._entry("DW_TAG_unspecified_parameters")
        if type.members:
            self._end()

    def _member(self, member: Member) -> None:
        place = [("data_member_location", "data4", member.offset // 8)]
        if member.bits:
            place = [("bit_size", "data1", member.bits), ("data_bit_offset", "data4", member.offset)]
        self._entry("DW_TAG_member", *_name(member.name), *self._type(member.type), *place)

    def _type(self, number: int) -> Sequence[tuple[str, str, int]]:
        """Returns the attribute that refers to a type; none for void."""
        while (found := self._types.type(number)).kind is Kind.TYPE_TAG:
            number = found.word
        return (("type", "ref4", number),) if number else ()

    def _entry(self, tag: str, *attributes: tuple[str, str, int | str], inside: bool = False) -> None:
        """Writes an entry; what follows is `inside` of it, up to `_end`."""
        shape = tag, inside, tuple((f"DW_AT_{name}", f"DW_FORM_{form}") for name, form, _ in attributes)
        code = self._shapes.setdefault(shape, len(self._shapes) + 1)
        info = self._info
        info += _uleb(code)
        for _, form, value in attributes:
            if isinstance(value, str):
                info += struct.pack("<I", self._string(value))
            elif form == "ref4":
                self._references.append((len(info), value))
                info += bytes(4)
            elif form == "sdata":
                info += _sleb(value)
            elif form != "flag_present":
                info += struct.pack(_SIZES[form], value)

    def _end(self) -> None:
        self._info += b"\0"

    def _string(self, text: str) -> int:
        if text not in self._known:
            self._known[text] = len(self._strings)
            self._strings += text.encode() + b"\0"
        return self._known[text]


def _name(text: str) -> Sequence[tuple[str, str, str]]:
    """Returns the attribute with a name; none for what has none."""
    return (("name", "strp", text),) if text else ()


def _uleb(value: int) -> bytes:
    written = bytearray()
    while value >> 7:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _sleb(value: int) -> bytes:
    written = bytearray()
    while not -64 <= value < 64:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value & 0x7F])
