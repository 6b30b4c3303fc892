# SPDX-License-Identifier: MIT
"""Types that a program's functions are made of, written anew for one kernel.

An object's types are those of all its programs, its maps and what else the compiler saw. The kernel looks at the types
of functions and at what these refer to; so only that is written, with what the kernel does not know replaced
(`harness.objects.btf.sanitising`). Types of maps and variables, which kernels check more strictly than compilers write
them, are never among them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.abi import btf as abi
from harness.objects.btf.reader import Btf, damaged
from harness.objects.btf.sanitising import known
from harness.objects.btf.types import COMPOSITE, Kind, Member, Type
from harness.release import Release

_TO_TYPE = frozenset(
    {
        *(Kind.PTR, Kind.ARRAY, Kind.TYPEDEF, Kind.VOLATILE, Kind.CONST, Kind.RESTRICT, Kind.TYPE_TAG),
        *(Kind.FUNC, Kind.FUNC_PROTO, Kind.DECL_TAG),
    }
)
"""The kinds whose `word` is the number of a type."""
_WITH_TYPES = COMPOSITE | {Kind.FUNC_PROTO}
_OF_DATA = frozenset({Kind.VAR, Kind.DATASEC})
_SIGNED, _CHAR, _BOOL = 1, 2, 4
_INDEX = Type(Kind.INT, "__ARRAY_SIZE_TYPE__", 4, bits=32)
"""What arrays are counted by; the kernel wants a number there, whichever it is."""
_LOW = 0xFFFFFFFF


class Excerpt:
    """Types out of `types` for a kernel of `release`; `hidden` are the numbers of functions that are static there,
    whatever their types say. Refused where the types are damaged."""

    def __init__(self, types: Btf, release: Release, functions: Iterable[int], hidden: Iterable[int] = ()) -> None:
        self.writer = abi.Writer()
        hidden = frozenset(hidden)
        self.globals: set[int] = set()
        """The functions, by their numbers in `types`, that are global."""
        taken: dict[int, Type] = {}
        todo = list(functions)
        while todo:
            number = todo.pop()
            if number in taken or not number:
                continue
            type = types.type(number)
            if number in hidden:
                type = Type(type.kind, type.name, type.word, linkage=abi.Linkage.STATIC)
            if type.kind in _OF_DATA:
                raise damaged(f".BTF has a function whose type {number} is of a variable")
            if (told := known(type, release)) is None:
                continue
            taken[number] = told
            todo += _referred(told)
            todo += types.tags.get(number, ())
        self._numbers = {0: 0} | {number: at for at, number in enumerate(sorted(taken), start=1)}
        self._index = len(self._numbers)
        for number in sorted(taken):
            self._write(taken[number])
            if taken[number].kind is Kind.FUNC and taken[number].linkage == abi.Linkage.GLOBAL:
                self.globals.add(number)
        if any(type.kind is Kind.ARRAY for type in taken.values()):
            self._write(_INDEX)

    def number(self, number: int) -> int:
        """Returns the number here of a type that has `number` in the object; void, 0, stands for what is left out."""
        return self._numbers.get(number, 0)

    def _write(self, type: Type) -> None:
        word = self.number(type.word) if type.kind in _TO_TYPE else type.word
        if type.kind is Kind.ARRAY:  # which has it behind
            word = 0
        count = type.linkage if type.kind is Kind.FUNC else len(type.members)
        rest = tuple(number & _LOW for number in self._rest(type))
        self.writer.add(type.kind, type.name, word, count, rest, flag=type.flag)

    def _rest(self, type: Type) -> Iterator[int]:
        """Yields the words behind the first three."""
        match type.kind:
            case Kind.INT:
                encoding = _SIGNED * type.signed | _CHAR * type.is_char | _BOOL * type.is_bool
                yield encoding << 24 | type.bits
            case Kind.ARRAY:
                yield from (self.number(type.word), self._index, type.elements)
            case Kind.DECL_TAG:
                yield type.component
        for member in type.members:
            yield self.writer.string(member.name)
            yield from self._of_member(type, member)

    def _of_member(self, type: Type, member: Member) -> Iterator[int]:
        match type.kind:
            case Kind.STRUCT | Kind.UNION:
                yield from (self.number(member.type), member.bits << 24 | member.offset)
            case Kind.FUNC_PROTO:
                yield self.number(member.type)
            case Kind.ENUM:
                yield member.offset
            case Kind.ENUM64:
                yield from (member.offset, member.offset >> 32)


def _referred(type: Type) -> Iterator[int]:
    if type.kind in _TO_TYPE:
        yield type.word
    if type.kind in _WITH_TYPES:
        yield from (member.type for member in type.members)
