# SPDX-License-Identifier: MIT
"""Arrays of open files: what program arrays and perf event arrays share, kernel/bpf/arraymap.c.

Only system calls store: a descriptor goes in, and the file behind it stays open for as long as it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps.array import following_index, index_of
from harness.model.maps.base import Map
from harness.model.maps.limits import check_flags, check_memory
from harness.model.memory import Region
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap, MapType, UpdateFlag

if TYPE_CHECKING:
    from harness.model.interface.objects import File

T = TypeVar("T")


def check(environment: Environment, wanted: CreateMap) -> None:
    """fd_array_map_alloc_check(): raises Errno EINVAL."""
    check_flags(environment, wanted)
    if wanted.max_entries == 0 or wanted.key_size != 4 or wanted.value_size != 4:
        raise Errno("EINVAL")
    check_memory(environment, wanted.max_entries * 8)


class FileArrayMap(Map, Generic[T]):
    """A map whose keys are u32 indices and whose values are descriptors of files whose content is a `T`."""

    def __init__(self, wanted: CreateMap) -> None:
        super().__init__(MapType(wanted.type), 4, 4, wanted.max_entries)
        self._files: dict[int, tuple[File, T]] = {}

    def check_update(self, key: bytes, flags: int) -> None:
        """Makes the checks of bpf_fd_array_map_update_elem() before it looks at the descriptor: raises Errno EINVAL,
        E2BIG."""
        self._certain()
        if flags != UpdateFlag.ANY:
            raise Errno("EINVAL")
        if index_of(key) >= self.max_entries:
            raise Errno("E2BIG")

    def put(self, key: bytes, file: File, content: T) -> File | None:
        """Replaces the file that was there, which is returned for the caller to drop."""
        former = self._files.get(index_of(key))
        self._files[index_of(key)] = (file, content)
        return former[0] if former else None

    def take(self, key: bytes) -> File:
        """fd_array_map_delete_elem(): removes and returns the file; raises Errno E2BIG, ENOENT."""
        self._certain()
        if index_of(key) >= self.max_entries:
            raise Errno("E2BIG")
        former = self._files.pop(index_of(key), None)
        if former is None:
            raise Errno("ENOENT")
        return former[0]

    def abandon(self) -> tuple[File, ...]:
        """The type's map_release_uref(), when the map's last descriptor is closed: returns the files that are dropped
        at once."""
        files = tuple(file for file, _ in self._files.values())
        self._files.clear()
        return files

    def update(self, key: bytes, value: Region, offset: int, flags: int, cpu: int = 0) -> None:
        raise Unpredictable("what a number stands for where a descriptor is expected")

    def delete(self, key: bytes) -> None:
        raise Unpredictable("which file a map drops")

    def following(self, key: bytes | None) -> tuple[bytes, ...]:
        return following_index(key, self.max_entries)
