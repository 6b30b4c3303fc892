# SPDX-License-Identifier: MIT
"""BPF_MAP_TYPE_PERF_EVENT_ARRAY, since 4.3: perf events for programs to write to and to read; kernel/bpf/arraymap.c."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from harness.abi.bpf import F_CURRENT_CPU, F_INDEX_MASK, MapFlag
from harness.model.environment import Environment
from harness.model.errno import NOT_SUPPORTED, Errno
from harness.model.maps.file_array import FileArrayMap, check
from harness.model.memory import Region
from harness.script.operations import CreateMap

if TYPE_CHECKING:
    from harness.model.interface.objects import File


class Event(Protocol):
    """The part of a perf event that programs use."""

    def output(self, environment: Environment, payload: Region) -> None:
        """Writes a sample with this payload; raises Errno EINVAL, EOPNOTSUPP, ENOSPC."""

    def count_here(self, environment: Environment) -> int:
        """perf_event_read_local(); raises Errno EINVAL."""

    def distrust(self, why: str) -> None:
        """Marks its state as unknown."""


class EventArrayMap(FileArrayMap[Event]):
    """A map whose values are descriptors of perf events."""

    def __init__(self, wanted: CreateMap) -> None:
        super().__init__(wanted)
        self._preserves = bool(wanted.flags & MapFlag.PRESERVE_ELEMS)

    def abandon(self) -> tuple[File, ...]:
        """perf_event_fd_array_release()."""
        return () if self._preserves else super().abandon()

    def event(self, environment: Environment, flags: int) -> Event:
        """Returns the event that a program's flags choose; raises Errno EINVAL, E2BIG, ENOENT."""
        self._certain()
        if flags & ~F_INDEX_MASK:
            raise Errno("EINVAL")
        index = flags & F_INDEX_MASK
        if index == F_CURRENT_CPU:
            index = environment.cpu
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

    def stored(self) -> tuple[tuple[bytes, Region], ...]:
        return ()


def create_event_array(environment: Environment, wanted: CreateMap) -> EventArrayMap:
    """Makes a map of BPF_MAP_TYPE_PERF_EVENT_ARRAY."""
    check(environment, wanted)
    return EventArrayMap(wanted)
