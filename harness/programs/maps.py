# SPDX-License-Identifier: MIT
"""Maps in the notation of the command line: `hits:array:4:8:1`."""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps import Map, allocate
from harness.model.unpredictable import Unpredictable
from harness.programs.source import Source
from harness.script.operations import CreateMap, MapType
from hil.errors import HilError, UserError

_REMEDY = "write NAME:TYPE:KEY_SIZE:VALUE_SIZE:ENTRIES, as in hits:array:4:8:1"


def parse(text: str) -> CreateMap:
    """Returns one map; the type is a name of `MapType` or a number. Raises UserError when it is not of that form."""
    parts = text.split(":")
    if len(parts) != 5 or not parts[0]:
        raise UserError(f"--map {text!r} is no map", remedy=_REMEDY)
    name, kind, *sizes = parts
    try:
        type = MapType[kind.upper()] if kind.upper() in MapType.__members__ else int(kind, 0)
        key_size, value_size, entries = (int(size, 0) for size in sizes)
    except ValueError:
        raise UserError(f"--map {text!r} is no map", remedy=_REMEDY) from None
    if not all(0 <= number < 1 << 32 for number in (type, key_size, value_size, entries)):
        raise UserError(f"--map {text!r}: a number does not fit into 32 bits", remedy=_REMEDY)
    return CreateMap(name, type, key_size, value_size, entries)


def gather(source: Source, given: Iterable[CreateMap]) -> tuple[CreateMap, ...]:
    """Returns all maps, those given on the command line before those of the file; raises UserError for a name that the
    program refers to and nothing defines."""
    maps = {map.name: map for map in (*source.maps, *given)}
    for index, reference in source.program.maps:
        if reference.name not in maps:
            raise UserError(
                f"instruction {index} refers to map {reference.name}, which is not defined",
                remedy=f"add --map {reference.name}:TYPE:KEY_SIZE:VALUE_SIZE:ENTRIES",
            )
    return tuple(maps.values())


class NoMap(HilError):
    """There is no map of this kind in the era, or the model cannot know; `errno` is the kernel's if it is known."""

    exit_status = 1

    def __init__(self, name: str, why: str, errno: str | None = None) -> None:
        super().__init__(f"map {name}: {why}")
        self.errno = errno


def create(environment: Environment, wanted: CreateMap) -> Map:
    """Returns the map in the model; raises NoMap when the era's kernel refuses it, or the model has no rule for it."""
    try:
        return allocate(environment, wanted)
    except Errno as error:
        why = f"the kernel of era {environment.era} refuses it with {error.name}"
        raise NoMap(wanted.name, why, error.name) from None
    except Unpredictable as unpredictable:
        raise NoMap(wanted.name, unpredictable.why) from None
