# SPDX-License-Identifier: MIT
"""The types in a section .BTF, or in a kernel's /sys/kernel/btf/vmlinux. A type is decoded when it is asked for."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property

from harness.abi.btf import HEADER, MAGIC
from harness.objects.btf.types import COMPOSITE, ENUMERATIONS, MODIFIERS, Kind, Member, Type
from harness.objects.reasons import Reason, Refused

_VOID = Type(Kind.VOID, "void", 0)
_FIXED = {Kind.INT: 4, Kind.ARRAY: 12, Kind.VAR: 4, Kind.DECL_TAG: 4}
_EACH = {
    **dict.fromkeys((Kind.STRUCT, Kind.UNION, Kind.DATASEC, Kind.ENUM64), 12),
    **dict.fromkeys((Kind.ENUM, Kind.FUNC_PROTO), 8),
}
"""Bytes behind the three words of a type: always, and for each of its members."""
_DEEPEST = 64
"""Modifiers and typedefs around a type; libbpf's MAX_RESOLVE_DEPTH is 32."""
_LARGEST = 1 << 32
_POINTER = 8


def damaged(what: str) -> Refused:
    """The error for type information that cannot be."""
    return Refused(Reason.BAD_BTF, f"the object file is damaged: {what}")


class Btf:
    """Types by their numbers, which begin with 1; 0 is void."""

    def __init__(self, content: bytes) -> None:
        """Refused when it is damaged."""
        self.order = order = ">" if content[:1] == b"\xeb" else "<"
        header = struct.Struct(order + HEADER)
        if len(content) < header.size:
            raise damaged(".BTF is too short")
        magic, _, _, length, type_start, type_length, string_start, string_length = header.unpack_from(content)
        if magic != MAGIC:
            raise damaged(".BTF does not begin as such")
        start, text = length + type_start, length + string_start
        if start + type_length > len(content) or text + string_length > len(content):
            raise damaged(".BTF ends too early")
        self._types = content[start : start + type_length]
        self._strings = content[text : text + string_length]
        self._words = struct.Struct(f"{order}3I")
        self._places = self._index()
        self._decoded: dict[int, Type] = {0: _VOID}
        self._named: dict[str, list[int]] = {}

    def __len__(self) -> int:
        """How many types there are, with void."""
        return len(self._places)

    def _index(self) -> list[int]:
        places, at, content, unpack = [0], 0, self._types, self._words.unpack_from
        fixed, each, known = [0] * 32, [0] * 32, max(Kind)
        for kind in Kind:
            fixed[kind], each[kind] = _FIXED.get(kind, 0), _EACH.get(kind, 0)
        while at < len(content):
            if at + 12 > len(content):
                raise damaged(".BTF ends within a type")
            info = unpack(content, at)[1]
            kind = info >> 24 & 0x1F
            if not 0 < kind <= known:
                raise damaged(f".BTF has a type of kind {kind}")
            places.append(at)
            at += 12 + fixed[kind] + each[kind] * (info & 0xFFFF)
        if at > len(content):
            raise damaged(".BTF ends within a type")
        return places

    def string(self, at: int) -> str:
        """The string at a byte; Refused when there is none."""
        end = self._strings.find(b"\0", at) if 0 <= at < len(self._strings) else -1
        if end < 0:
            raise damaged(f".BTF has no string at {at}")
        return self._strings[at:end].decode("utf-8", "replace")

    def type(self, number: int) -> Type:
        """The type; Refused when there is none of that number."""
        if (known := self._decoded.get(number)) is not None:
            return known
        if not 0 <= number < len(self._places):
            raise damaged(f".BTF has no type {number}")
        found = self._decoded[number] = self._decode(self._places[number])
        return found

    def _decode(self, at: int) -> Type:
        name, info, word = self._words.unpack_from(self._types, at)
        kind, count, flag = Kind(info >> 24 & 0x1F), info & 0xFFFF, bool(info >> 31)
        text, at = self.string(name), at + 12
        match kind:
            case Kind.INT:
                (more,) = self._unpack("I", at)
                encoding = more >> 24 & 0xF
                signed, is_char, is_bool = bool(encoding & 1), bool(encoding & 2), bool(encoding & 4)
                return Type(kind, text, word, signed=signed, is_char=is_char, is_bool=is_bool, bits=more & 0xFF)
            case Kind.ARRAY:
                element, _, elements = self._unpack("3I", at)
                return Type(kind, text, element, elements=elements)
            case Kind.VAR:
                return Type(kind, text, word, linkage=self._unpack("I", at)[0])
            case Kind.DECL_TAG:
                return Type(kind, text, word, flag, component=self._unpack("i", at)[0])
            case Kind.FUNC:
                return Type(kind, text, word, linkage=count)
        return Type(kind, text, word, flag, tuple(self._members(kind, flag, count, at)), signed=flag)

    def _members(self, kind: Kind, flag: bool, count: int, at: int) -> Iterator[Member]:
        for place in range(at, at + count * _EACH.get(kind, 0), _EACH.get(kind, 1)):
            if kind in COMPOSITE:
                name, type, offset = self._unpack("3I", place)
                yield Member(self.string(name), type, *((offset & 0xFFFFFF, offset >> 24) if flag else (offset, 0)))
            elif kind is Kind.DATASEC:
                type, offset, size = self._unpack("3I", place)
                yield Member("", type, offset, size)
            elif kind is Kind.ENUM:
                name, value = self._unpack("Ii" if flag else "2I", place)
                yield Member(self.string(name), 0, value)
            elif kind is Kind.ENUM64:
                name, low, high = self._unpack("3I", place)
                value = high << 32 | low
                yield Member(self.string(name), 0, value - (1 << 64) if flag and high >> 31 else value)
            elif kind is Kind.FUNC_PROTO:
                name, type = self._unpack("2I", place)
                yield Member(self.string(name), type)

    def _unpack(self, format: str, at: int) -> tuple[int, ...]:
        return struct.unpack_from(self.order + format, self._types, at)

    def plain(self, number: int, *, typedefs: bool = True) -> tuple[int, Type]:
        """The type without what is around it: const, volatile, restrict, tags, and names of typedefs."""
        for _ in range(_DEEPEST):
            found = self.type(number)
            if not (found.kind in MODIFIERS or (typedefs and found.kind is Kind.TYPEDEF)):
                return number, found
            number = found.word
        raise damaged(f".BTF has a type {number} that leads to itself")

    def size(self, number: int) -> int:
        """Bytes of a value of the type; Refused when it has none."""
        times = 1
        for _ in range(_DEEPEST):
            _, found = self.plain(number)
            if found.kind is Kind.ARRAY:
                times *= found.elements
                number = found.word
                continue
            each = _POINTER if found.kind is Kind.PTR else found.size
            if each is None or each * times >= _LARGEST:
                break
            return each * times
        raise damaged(f".BTF says no size of type {number}")

    @cached_property
    def _by_place(self) -> dict[int, list[int]]:
        """The numbers of the types that have a name, by where it is."""
        names: dict[int, list[int]] = {}
        unpack, content = self._words.unpack_from, self._types
        for number, at in enumerate(self._places[1:], start=1):
            if name := unpack(content, at)[0]:
                names.setdefault(name, []).append(number)
        return names

    def named(self, name: str) -> list[int]:
        """The numbers of the types of that name."""
        if (known := self._named.get(name)) is None:
            known = self._named[name] = list(self._find(name))
        return known

    def _find(self, name: str) -> Iterator[int]:
        text = b"\0" + name.encode() + b"\0"
        at = self._strings.find(text)
        while at >= 0:
            yield from self._by_place.get(at + 1, ())
            at = self._strings.find(text, at + 1)

    @cached_property
    def tags(self) -> dict[int, list[int]]:
        """The numbers of the tags of declarations, by the number of what they are of."""
        found: dict[int, list[int]] = {}
        for number in self._of_kind(Kind.DECL_TAG):
            found.setdefault(self.type(number).word, []).append(number)
        return found

    def _of_kind(self, kind: Kind) -> Iterator[int]:
        for number, at in enumerate(self._places[1:], start=1):
            if self._words.unpack_from(self._types, at)[1] >> 24 & 0x1F == kind:
                yield number

    def sections(self) -> dict[str, Type]:
        """The sections of data whose variables are described, by name."""
        return {section.name: section for section in map(self.type, self._of_kind(Kind.DATASEC))}

    def say(self, number: int) -> str:
        """The type as C names it: `struct task_struct`, `u32 *`, `char[16]`."""
        before, behind = "", ""
        for _ in range(_DEEPEST):
            found = self.type(number)
            match found.kind:
                case Kind.PTR:
                    before, number = f"{before}*", found.word
                case Kind.ARRAY:
                    behind, number = f"{behind}[{found.elements}]", found.word
                case Kind.CONST | Kind.VOLATILE | Kind.RESTRICT | Kind.TYPE_TAG:
                    number = found.word
                case _:
                    word = {**dict.fromkeys(ENUMERATIONS, "enum ")}
                    word |= {Kind.STRUCT: "struct ", Kind.UNION: "union ", Kind.FWD: "struct "}
                    name = f"{word.get(found.kind, '')}{found.name or '(anonymous)'}"
                    return f"{name} {before}{behind}" if before else f"{name}{behind}"
        raise damaged(f".BTF has a type {number} that leads to itself")
