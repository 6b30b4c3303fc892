# SPDX-License-Identifier: MIT
"""What a program may be given in a trial, as one string of bytes: context, elements of maps, numbers of helpers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from random import Random
from typing import NamedTuple

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class
from harness.model.environment import Environment
from harness.model.maps import Map, allocate
from harness.model.memory import Region
from harness.model.value import Pointer
from harness.script.operations import CreateMap, MapType

WORD = 8
_LEAST_CONTEXT, _CONTEXT = 256, 8192
"""Bytes; the second is more than the context of any program has."""
_PACKET = 1 << 10
_HELPERS = 4
"""Numbers of helpers."""
_ELEMENTS = 2
"""Elements of an array."""
_KEYS = 4
"""The lowest keys are those that generated programs look up."""
_MOST_BYTES = 1 << 16
"""Elements beyond so many bytes are all alike."""


class Part(NamedTuple):
    """The bytes of an input that are an element's value; `present` is where the byte is that says, by its lowest bit,
    whether there is one, None where there always is."""

    key: bytes
    begin: int
    present: int | None = None


class Inputs:
    """The inputs of one program, each of `size` bytes."""

    def __init__(self, environment: Environment, program: Sequence[Instruction], maps: Mapping[int, Map]) -> None:
        """Takes the program's maps by the index of the instruction that loads them."""
        reads = {insn.off // WORD * WORD for insn in program if insn.opcode_class == Class.LDX}
        self._context = min(max(_LEAST_CONTEXT, *(at + WORD for at in reads), 0), _CONTEXT)
        self.size = self._context + _HELPERS * WORD
        self._environment = environment
        self._maps = maps
        self._made = {map: None if map.may_be_constant else _like(map) for map in maps.values()}
        """How maps of a trial's own are made; None for those that no program writes to."""
        self._parts = {map: self._elements(map) for map in dict.fromkeys(maps.values())}
        self.words = (*sorted(reads.intersection(range(self._context))), *range(self._context, self.size, WORD))
        """Where a word of the input begins that the program may read."""
        self._packet = Random(0).randbytes(_PACKET)

    def filled(self, word: int, random: Random) -> bytes:
        """Returns an input with a word all over the context, and random numbers in everything else."""
        return word.to_bytes(WORD, "little") * (self._context // WORD) + random.randbytes(self.size - self._context)

    def present(self) -> bytes:
        """Returns an input with what is in the maps; of what nobody knows, and of the context, zeros."""
        given = bytearray(self.size)
        for map, part in ((map, part) for map, parts in self._parts.items() for part in parts):
            value = None if map.doubt else map.read(part.key)
            if value is not None:
                content, _ = value.image()
                given[part.begin : part.begin + len(content)] = content
                if part.present is not None:
                    given[part.present] = 1
        return bytes(given)

    def unpack(self, given: bytes) -> tuple[Pointer, Mapping[int, Map], bytes, Sequence[int]]:
        """Returns the context, maps of a trial's own, the packet, and the numbers that helpers give."""
        context = given[: self._context] * (_CONTEXT // self._context + 1)
        numbers = [
            int.from_bytes(given[at : at + WORD], "little")
            for at in range(self._context, self._context + _HELPERS * WORD, WORD)
        ]
        region = Region("a context", _CONTEXT, context[:_CONTEXT], alignment=WORD)
        return Pointer(region), _OwnMaps(self._maps, cache(partial(self._own, given))), self._packet, numbers

    def _own(self, given: bytes, map: Map) -> Map:
        """Returns the map of a trial's own that stands for this one, with the elements of an input."""
        made = self._made[map]
        if made is None:
            return map
        own = allocate(self._environment, made)
        for part in self._parts[map]:
            if part.present is None or given[part.present] & 1:
                content = given[part.begin : part.begin + map.value_size]
                own.write(part.key, Region("a value", map.value_size, content), 0)
        return own

    def _elements(self, map: Map) -> list[Part]:
        """Lays out the elements of a map."""
        room = -(-map.value_size // WORD) * WORD
        parts: list[Part] = []
        if map.type not in (MapType.ARRAY, MapType.HASH) or map.may_be_constant or self.size + room > _MOST_BYTES:
            return parts
        optional = map.type is MapType.HASH
        for number in range(min(map.max_entries, _KEYS if optional else _ELEMENTS)):
            key = number.to_bytes(max(map.key_size, 1), "little")
            if len(key) == map.key_size:
                parts.append(Part(key, self.size, self.size + room if optional else None))
                self.size += room + WORD * optional
        return parts


class _OwnMaps(Mapping[int, Map]):
    """Maps of a trial's own, by the index of the instruction that loads them; each is made when a program loads it, for
    most trials end before they come to the last."""

    def __init__(self, maps: Mapping[int, Map], own: Callable[[Map], Map]) -> None:
        self._maps = maps
        self._own = own

    def __getitem__(self, index: int) -> Map:
        return self._own(self._maps[index])

    def __iter__(self) -> Iterator[int]:
        return iter(self._maps)

    def __len__(self) -> int:
        return len(self._maps)


def _like(map: Map) -> CreateMap:
    """Returns how a map like this one is made, which nobody has written to."""
    return CreateMap("", map.type, map.key_size, map.value_size, map.max_entries, map.flags)
