"""BPF_MAP_TYPE_PERF_EVENT_ARRAY, since 4.3: perf events for programs to write to and to read; kernel/bpf/arraymap.c.

Only system calls store: a descriptor goes in, and the file behind it stays open for as long as it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from harness.model.environment import Environment
from harness.model.errno import NOT_SUPPORTED, Errno
from harness.model.maps.array import following_index
from harness.model.maps.base import Map
from harness.model.maps.limits import check_flags, check_memory
from harness.model.memory import Region
from harness.model.value import Unpredictable
from harness.script.operations import CreateMap, MapType, UpdateFlag

if TYPE_CHECKING:
    from harness.model.interface.objects import File

INDEX_MASK = CURRENT_CPU = 0xFFFFFFFF
"""BPF_F_INDEX_MASK, BPF_F_CURRENT_CPU."""
PRESERVE_ELEMS = 1 << 11
"""BPF_F_PRESERVE_ELEMS, since 5.10: elements outlive the descriptors of the map."""
REFUSED_FLAGS = 0x601
"""NO_PREALLOC, CLONE and MMAPABLE."""


class Event(Protocol):
    """What programs do with a perf event."""

    def output(self, environment: Environment, payload: Region) -> None:
        """A sample with this payload; Errno EINVAL, EOPNOTSUPP, ENOSPC."""

    def count_here(self) -> int:
        """perf_event_read_local(); Errno EINVAL."""

    def distrust(self, why: str) -> None:
        """Nothing about it is certain any more."""


class EventArrayMap(Map):
    """A key is a u32 index, a value the descriptor of a perf event."""

    def __init__(self, max_entries: int, *, preserves: bool) -> None:
        super().__init__(MapType.PERF_EVENT_ARRAY, 4, 4, max_entries)
        self._preserves = preserves
        self._files: dict[int, tuple[File, Event]] = {}

    def check_update(self, key: bytes, flags: int) -> None:
        """bpf_fd_array_map_update_elem() before it looks at the descriptor: Errno EINVAL, E2BIG."""
        self._certain()
        if flags != UpdateFlag.ANY:
            raise Errno("EINVAL")
        if self._index(key) >= self.max_entries:
            raise Errno("E2BIG")

    def put(self, key: bytes, file: File, event: Event) -> File | None:
        """Takes the place of what was there, which is the result, for the caller to let go of."""
        former = self._files.get(self._index(key))
        self._files[self._index(key)] = (file, event)
        return former[0] if former else None

    def take(self, key: bytes) -> File:
        """fd_array_map_delete_elem(): what was there; Errno E2BIG, ENOENT."""
        self._certain()
        if self._index(key) >= self.max_entries:
            raise Errno("E2BIG")
        former = self._files.pop(self._index(key), None)
        if former is None:
            raise Errno("ENOENT")
        return former[0]

    def clear(self) -> tuple[File, ...]:
        """perf_event_fd_array_release(), when the map's last descriptor is closed: what goes."""
        if self._preserves:
            return ()
        files = tuple(file for file, _ in self._files.values())
        self._files.clear()
        return files

    def event(self, environment: Environment, flags: int) -> Event:
        """What a program's flags choose; Errno EINVAL, E2BIG, ENOENT."""
        self._certain()
        if flags & ~INDEX_MASK:
            raise Errno("EINVAL")
        index = flags & INDEX_MASK
        if index == CURRENT_CPU:
            if environment.cpus > 1:
                raise Unpredictable("on which CPU the program runs")
            index = 0
        if index >= self.max_entries:
            raise Errno("E2BIG")
        if index not in self._files:
            raise Errno("ENOENT")
        return self._files[index][1]

    def distrust(self, why: str) -> None:
        super().distrust(why)
        for _, event in self._files.values():
            event.distrust(why)

    def lookup(self, key: bytes, cpu: int = 0) -> Region | None:
        raise Errno(NOT_SUPPORTED)

    def following(self, key: bytes | None) -> tuple[bytes, ...]:
        return following_index(key, self.max_entries)

    def stored(self) -> tuple[tuple[bytes, Region], ...]:
        return ()

    def _index(self, key: bytes) -> int:
        return int.from_bytes(key, "little")


def create_event_array(_: Environment, wanted: CreateMap) -> EventArrayMap:
    """fd_array_map_alloc_check(): Errno EINVAL."""
    check_flags(wanted.flags, taken=PRESERVE_ELEMS, refused=REFUSED_FLAGS)
    if wanted.max_entries == 0 or wanted.key_size != 4 or wanted.value_size != 4:
        raise Errno("EINVAL")
    check_memory(wanted.max_entries * 8)
    return EventArrayMap(wanted.max_entries, preserves=bool(wanted.flags & PRESERVE_ELEMS))
