# SPDX-License-Identifier: MIT
"""BPF_MAP_TYPE_PROG_ARRAY, since 4.2: programs for tail calls; kernel/bpf/arraymap.c, kernel/bpf/core.c."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.model.environment import Environment
from harness.model.errno import NOT_SUPPORTED, Errno
from harness.model.maps.array import index_of
from harness.model.maps.file_array import FileArrayMap, check
from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.model.value import partial_of
from harness.script.operations import CreateMap
from harness.script.outcome import Unknown

if TYPE_CHECKING:
    from harness.model.interface.objects import File, LoadedProgram

PROGRAM_ID = Unknown("the id of a program", least=1, most=(1 << 31) - 1)


class ProgramArrayMap(FileArrayMap["LoadedProgram"]):
    """A map whose values are descriptors of programs; reading one back yields the program's id, since 4.13.

    All its programs, and those that use it, are of one type, and all are compiled or none is: the first one decides
    (bpf_prog_array_compatible()). On one lane the engine is the same for all.
    """

    def __init__(self, wanted: CreateMap) -> None:
        super().__init__(wanted)
        self._program_type: int | None = None
        self._distrusting = False
        self._type_doubt = ""

    def distrust_type(self, why: str) -> None:
        """Marks the type as unknown: a program of any type may have been the first one."""
        if self._program_type is None:
            self._type_doubt = self._type_doubt or why

    def admit(self, program_type: int) -> None:
        """Raises Errno EINVAL for another type than the first program's."""
        self._certain()
        if self._type_doubt:
            raise Unpredictable(self._type_doubt)
        if self._program_type is None:
            self._program_type = program_type
        if self._program_type != program_type:
            raise Errno("EINVAL")

    def program(self, index: int) -> LoadedProgram | None:
        """Returns the program that a tail call goes on with."""
        self._certain()
        stored = self._files.get(index)
        return stored[1] if stored else None

    def programs(self) -> list[LoadedProgram]:
        """Returns the programs in its slots."""
        return [program for _, program in self._files.values()]

    def abandon(self) -> tuple[File, ...]:
        """prog_array_map_clear(): a worker takes the programs out."""
        if self._files:
            self.doubt = self.doubt or "when a worker empties a program array whose last descriptor was closed"
        return ()

    def distrust(self, why: str) -> None:
        """Marks its content and what its programs may have done as unknown; these may lead back here."""
        super().distrust(why)
        if self._distrusting:
            return
        self._distrusting = True
        for _, program in self._files.values():
            program.doubt_maps(why)
        self._distrusting = False

    def read(self, key: bytes) -> Region | None:
        self._certain()
        if index_of(key) not in self._files:
            return None
        region = Region("a program's id", 4)
        region.store(0, 4, partial_of(PROGRAM_ID))
        return region

    def lookup(self, key: bytes, cpu: int = 0) -> Region | None:
        raise Errno(NOT_SUPPORTED)

    def stored(self) -> tuple[tuple[bytes, Region], ...]:
        return ()


def create_program_array(environment: Environment, wanted: CreateMap) -> ProgramArrayMap:
    """Makes a map of BPF_MAP_TYPE_PROG_ARRAY."""
    check(environment, wanted)
    return ProgramArrayMap(wanted)
