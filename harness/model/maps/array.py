# SPDX-License-Identifier: MIT
"""Array maps, also with a value for each CPU: kernel/bpf/arraymap.c."""

from __future__ import annotations

from collections.abc import Iterable

from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps.base import Map
from harness.model.maps.elements import PER_CPU, Element, ElementMap
from harness.model.maps.limits import check_flags, check_memory, check_per_cpu
from harness.script.operations import CreateMap, UpdateFlag

LARGEST_INDEX = (1 << 32) - 1


def check(environment: Environment, wanted: CreateMap) -> None:
    """array_map_alloc_check(), array_map_alloc(): raises Errno EINVAL, E2BIG or ENOMEM."""
    rules = environment.rules.maps
    per_cpu = wanted.type in PER_CPU
    if wanted.max_entries == 0 or wanted.key_size != 4 or wanted.value_size == 0:
        raise Errno("EINVAL")
    check_flags(environment, wanted)
    stride = (wanted.value_size + 7) & ~7
    if wanted.value_size > rules.most_array_value:
        raise Errno(rules.too_large_array_value)
    if per_cpu:
        check_per_cpu(environment, wanted.value_size)
    if rules.most_array_bytes is not None and wanted.max_entries > rules.most_array_bytes // stride:
        raise Errno("ENOMEM")
    check_memory(environment, wanted.max_entries * stride * (environment.cpus if per_cpu else 1))


def create_array(environment: Environment, wanted: CreateMap) -> Map:
    """Makes a map of BPF_MAP_TYPE_ARRAY or BPF_MAP_TYPE_PERCPU_ARRAY."""
    check(environment, wanted)
    return ArrayMap(environment, wanted)


def index_of(key: bytes) -> int:
    """Returns the index in a key, a number of 32 bits."""
    return int.from_bytes(key, "little")


def following_index(key: bytes | None, entries: int) -> tuple[bytes, ...]:
    """array_map_get_next_key(): returns the next index, the first one after an invalid key; raises Errno ENOENT after
    the last."""
    index = LARGEST_INDEX if key is None else index_of(key)
    if index == entries - 1:
        raise Errno("ENOENT")
    following = index + 1 if index < entries else 0
    return (following.to_bytes(4, "little"),)


class ArrayMap(ElementMap):
    """An array map: all elements exist from the beginning and are zero."""

    def __init__(self, environment: Environment, wanted: CreateMap) -> None:
        super().__init__(environment, wanted)
        self._elements: dict[int, Element] = {}
        """The elements that were accessed; all others are zero."""

    def _find(self, key: bytes) -> Element | None:
        index = index_of(key)
        if index >= self.max_entries:
            return None
        if index not in self._elements:
            self._elements[index] = self.shape.zero()
        return self._elements[index]

    def _place(self, key: bytes, flags: int, cpu: int) -> Element:
        """Returns the element; raises Errno E2BIG, EEXIST."""
        element = self._find(key)
        if element is None:
            raise Errno("E2BIG")
        if flags == UpdateFlag.NOEXIST:
            raise Errno("EEXIST")
        return element

    def _delete(self, key: bytes) -> None:
        raise Errno("EINVAL")

    def _following(self, key: bytes | None) -> tuple[bytes, ...]:
        return following_index(key, self.max_entries)

    def _all(self) -> Iterable[tuple[bytes, Element]]:
        return ((index.to_bytes(4, "little"), element) for index, element in self._elements.items())
