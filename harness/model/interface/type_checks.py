# SPDX-License-Identifier: MIT
"""Types that every kernel that knows their kinds takes by BPF_BTF_LOAD: an allow-list.

It has what btf_parse() and the functions below it ask in kernel/bpf/btf.c of 5.10 and 6.6, where they differ the
strictest, and was held against 5.10 to 7.2. It has fewer shapes than they take: variables, sections and tags of
declarations are left out, integers are whole bytes, and nothing is nested deeper than `_DEEPEST`. What is not on the
list may be taken, too.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from harness.abi.btf import HEADER, MAGIC, NAME, VERSION, Kind, Linkage

_HEADER = struct.Struct("<" + HEADER)
_NAME = re.compile(NAME.encode(), re.ASCII)
_MOST_BYTES, _MOST_TYPES = 1 << 24, 0xFFFF
_DEEPEST = 24
"""Types within each other; MAX_RESOLVE_DEPTH is 32."""
_ENCODINGS = (0, 1, 2, 4)
_UNUSED = 0x60FF0000
"""Bits of `info` that have no meaning."""
_POINTER = 8
_LARGEST = (1 << 32) - 1
_WHOLE = (1, 2, 4, 8, 16)
_REFERRING = (Kind.PTR, Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG)
_MODIFIERS = frozenset({Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG})
_SIZED = frozenset({Kind.INT, Kind.STRUCT, Kind.UNION, Kind.ENUM, Kind.ENUM64, Kind.FLOAT})
_AIMS = _SIZED | {Kind.PTR, Kind.ARRAY, Kind.VOID, Kind.FWD, Kind.FUNC_PROTO}
"""What may be behind a pointer or a modifier."""
_ENUMERATIONS = (Kind.ENUM, Kind.ENUM64)
_ENUMERATED = 32
"""How many bits a kernel takes an enumeration for where kind_flag is set, whatever its size:
btf_enum_check_kflag_member()."""
_OWN_FIELDS = re.compile(rb"bpf_\w*(lock|list|rb|refcount|timer|wq|work|ptr)")
"""Names of structures that kernels look for in others, and what the next ones may be: btf_parse_struct_metas()."""
_OWN_TAGS = re.compile(rb"(percpu_)?[ku]ptr")
"""How tags of pointers begin of which kernels want more."""


class _Unlisted(Exception):
    """Something that is not on the list."""


def _demand(holds: bool) -> None:
    if not holds:
        raise _Unlisted


@dataclass(frozen=True)
class _Type:
    kind: Kind
    name: int
    count: int
    flag: bool
    word: int
    rest: tuple[int, ...]

    def each(self, size: int) -> Iterator[tuple[int, ...]]:
        """Yields the words of each member."""
        return (self.rest[at : at + size] for at in range(0, len(self.rest), size))


_VOID = _Type(Kind.VOID, 0, 0, False, 0, ())


def surely_taken(content: bytes) -> bool:
    """Returns whether every kernel takes this type information that knows all its kinds."""
    try:
        _Types(content).check()
    except _Unlisted:
        return False
    return True


class _Types:
    def __init__(self, content: bytes) -> None:
        _demand(_HEADER.size < len(content) <= _MOST_BYTES)
        magic, version, flags, length, type_start, type_length, string_start, string_length = _HEADER.unpack_from(
            content
        )
        _demand((magic, version, flags, length) == (MAGIC, VERSION, 0, _HEADER.size))
        _demand(type_start == 0 and type_length > 0 and type_length % 4 == 0 and string_start == type_length)
        _demand(string_length > 0 and length + type_length + string_length == len(content))
        self._strings = content[length + type_length :]
        _demand(self._strings[0] == self._strings[-1] == 0)
        words = struct.unpack_from(f"<{type_length // 4}I", content, length)
        self._types = [_VOID, *self._read(words)]
        _demand(len(self._types) <= _MOST_TYPES)

    def _read(self, words: tuple[int, ...]) -> Iterator[_Type]:
        at = 0
        while at < len(words):
            _demand(at + 3 <= len(words))
            name, info, word = words[at : at + 3]
            count, kind = info & 0xFFFF, info >> 24 & 0x1F
            _demand(not info & _UNUSED and kind in _CHECKS)
            size = _FIXED.get(Kind(kind), 0) + _EACH.get(Kind(kind), 0) * count
            at += 3 + size
            _demand(at <= len(words))
            yield _Type(Kind(kind), name, count, bool(info >> 31), word, words[at - size : at])

    def check(self) -> None:
        """Checks every type; raises _Unlisted."""
        for type in self._types[1:]:
            _demand(type.name < len(self._strings))
            _CHECKS[type.kind](self, type)
        within, behind = [0] * len(self._types), [0] * len(self._types)
        for number in range(1, len(self._types)):
            self._depth(number, within, self._parts)
            self._depth(number, behind, self._referred)

    # What each kind is asked ---------------------------------------------------------------------------------------

    def integer(self, type: _Type) -> None:
        """Checks an integer of whole bytes, whose name may be anything."""
        (more,) = type.rest
        self._plain(type)
        _demand(type.word in _WHOLE and more & 0xFFFFFF == 8 * type.word and more >> 24 in _ENCODINGS)

    def real(self, type: _Type) -> None:
        """Checks a floating-point number."""
        self._plain(type)
        _demand(type.word in (2, 4, 8, 12, 16))

    def reference(self, type: _Type) -> None:
        """Checks a pointer or a modifier. A tag is nothing that another modifier refers to."""
        self._plain(type)
        if type.kind is Kind.TYPEDEF:
            self._named(type.name)
        elif type.kind is Kind.TYPE_TAG:
            _demand(bool(self._text(type.name)) and not _OWN_TAGS.match(self._text(type.name)))
        else:
            _demand(type.name == 0)
        aim = self._get(type.word)
        _demand(aim.kind in _AIMS | _MODIFIERS)
        _demand(aim.kind is not Kind.TYPE_TAG or type.kind in (Kind.PTR, Kind.TYPE_TAG))
        _demand(self._behind(type.word).kind in _AIMS)

    def forward(self, type: _Type) -> None:
        """Checks a declaration."""
        self._named(type.name)
        _demand(type.count == 0 and type.word == 0)

    def array(self, type: _Type) -> None:
        """Checks an array."""
        element, index, count = type.rest
        self._plain(type)
        _demand(type.name == 0 and type.word == 0)
        _demand(self._behind(index).kind is Kind.INT)
        _demand(self._size(element) * count <= _LARGEST)

    def enumeration(self, type: _Type) -> None:
        """Checks an enumeration; its sign is another kind of it to the releases."""
        self._named(type.name, optional=True)
        _demand(type.word in (1, 2, 4, 8))
        for name, *_ in type.each(_EACH[type.kind]):
            self._named(name)

    def prototype(self, type: _Type) -> None:
        """Checks what a function takes and returns."""
        _demand(type.name == 0 and not type.flag)
        if type.word:
            self._size(type.word)
        parameters = [*type.each(2)]
        if parameters and parameters[-1] == (0, 0):
            parameters.pop()
        for name, number in parameters:
            self._named(name, optional=True)
            self._size(number)

    def function(self, type: _Type) -> None:
        """Checks a function; its linkage is where the number of members of others is."""
        self._named(type.name)
        _demand(type.count <= Linkage.GLOBAL and not type.flag)
        prototype = self._get(type.word)
        _demand(prototype.kind is Kind.FUNC_PROTO)
        _demand(all(name or not number for name, number in prototype.each(2)))

    def composite(self, type: _Type) -> None:
        """Checks a structure or a union: members are in order, and inside."""
        self._named(type.name, optional=True)
        last = 0
        for name, number, word in type.each(3):
            self._named(name, optional=True)
            offset, bits = (word & 0xFFFFFF, word >> 24) if type.flag else (word, 0)
            _demand(offset == 0 if type.kind is Kind.UNION else offset >= last)
            last = offset
            member = self._behind(number)
            _demand(not (member.kind is Kind.STRUCT and _OWN_FIELDS.match(self._text(member.name))))
            whole = 8 * self._size(number)
            if bits:
                _demand(member.kind in (Kind.INT, *_ENUMERATIONS))
                _demand(bits <= (whole if member.kind is Kind.INT else _ENUMERATED) and bits + offset % 8 <= 128)
            else:
                _demand(offset % 8 == 0)
                if member.kind is Kind.FLOAT:
                    self.real(member)  # which may be among the types behind this one
                    _demand(offset % (8 * min(_POINTER, member.word)) == 0)
            taken = bits or max(whole, _ENUMERATED if type.flag and member.kind in _ENUMERATIONS else 0)
            _demand(offset + taken <= 8 * type.word)

    # What types are asked for --------------------------------------------------------------------------------------

    def _plain(self, type: _Type) -> None:
        _demand(type.count == 0 and not type.flag)

    def _text(self, at: int) -> bytes:
        _demand(at < len(self._strings))
        return self._strings[at : self._strings.index(b"\0", at)]

    def _named(self, at: int, *, optional: bool = False) -> None:
        if at or not optional:
            _demand(_NAME.fullmatch(self._text(at)) is not None)

    def _get(self, number: int) -> _Type:
        _demand(number < len(self._types))
        return self._types[number]

    def _behind(self, number: int) -> _Type:
        """Returns the type without its modifiers."""
        for _ in range(_DEEPEST):
            type = self._get(number)
            if type.kind not in _MODIFIERS:
                return type
            number = type.word
        raise _Unlisted

    def _size(self, number: int) -> int:
        """Returns the bytes of a value."""
        times = 1
        for _ in range(_DEEPEST):
            type = self._behind(number)
            if type.kind is not Kind.ARRAY:
                _demand(type.kind is Kind.PTR or type.kind in _SIZED)
                size = times * (_POINTER if type.kind is Kind.PTR else type.word)
                _demand(size <= _LARGEST)
                return size
            number, times = type.rest[0], times * type.rest[2]
        raise _Unlisted

    def _parts(self, type: _Type) -> tuple[int, ...]:
        """Returns what a value of the type has in it."""
        if type.kind is Kind.ARRAY:
            return type.rest[:2]
        if type.kind in (Kind.STRUCT, Kind.UNION):
            return tuple(number for _, number, _ in type.each(3))
        return (type.word,) if type.kind in _MODIFIERS else ()

    def _referred(self, type: _Type) -> tuple[int, ...]:
        return (type.word,) if type.kind in _REFERRING else ()

    def _depth(self, number: int, known: list[int], next: Callable[[_Type], tuple[int, ...]], above: int = 1) -> int:
        """Returns how many types are within each other from this one on."""
        _demand(above <= _DEEPEST)
        if not known[number]:
            known[number] = 1 + max(
                (self._depth(one, known, next, above + 1) for one in next(self._get(number))), default=0
            )
        _demand(known[number] <= _DEEPEST)
        return known[number]


_FIXED = {Kind.INT: 1, Kind.ARRAY: 3}
_EACH = {Kind.STRUCT: 3, Kind.UNION: 3, Kind.ENUM: 2, Kind.ENUM64: 3, Kind.FUNC_PROTO: 2}
"""Words behind the three of each type: always, and for each member."""
_CHECKS: Mapping[int, Callable[[_Types, _Type], None]] = {
    Kind.INT: _Types.integer,
    Kind.FLOAT: _Types.real,
    Kind.FWD: _Types.forward,
    Kind.ARRAY: _Types.array,
    Kind.ENUM: _Types.enumeration,
    Kind.ENUM64: _Types.enumeration,
    Kind.FUNC_PROTO: _Types.prototype,
    Kind.FUNC: _Types.function,
    Kind.STRUCT: _Types.composite,
    Kind.UNION: _Types.composite,
    **dict.fromkeys(_REFERRING, _Types.reference),
}
