# SPDX-License-Identifier: MIT
"""Hash maps, also with a value for each CPU: kernel/bpf/hashtab.c."""

from __future__ import annotations

from collections.abc import Iterable

from harness.abi.bpf import MapFlag
from harness.model.environment import Environment
from harness.model.errno import NOT_SUPPORTED, Errno
from harness.model.maps.base import Map
from harness.model.maps.elements import PER_CPU, Element, ElementMap
from harness.model.maps.limits import check_flags, check_memory, check_per_cpu
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap, MapType, UpdateFlag

LRU_TYPES = frozenset({MapType.LRU_HASH, MapType.LRU_PERCPU_HASH})


def check(environment: Environment, wanted: CreateMap) -> None:
    """htab_map_alloc_check(), htab_map_alloc(): raises Errno EINVAL, 524 (ENOTSUPP), E2BIG or ENOMEM."""
    rules = environment.rules.maps
    lru, per_cpu = wanted.type in LRU_TYPES, wanted.type in PER_CPU
    check_flags(environment, wanted)
    if lru and wanted.flags & MapFlag.NO_PREALLOC:
        raise Errno(NOT_SUPPORTED)
    if wanted.flags & MapFlag.NUMA_NODE and wanted.flags & MapFlag.NO_COMMON_LRU:
        raise Errno("EINVAL")
    if 0 in (wanted.max_entries, wanted.key_size, wanted.value_size):
        raise Errno("EINVAL")
    element = wanted.key_size + wanted.value_size
    limits = (rules.most_hash_key, rules.most_hash_value, rules.most_hash_element)
    sizes = (wanted.key_size, wanted.value_size, element)
    if any(most is not None and size > most for size, most in zip(sizes, limits, strict=True)):
        raise Errno("E2BIG")
    if per_cpu:
        check_per_cpu(environment, wanted.value_size)
    if wanted.max_entries > rules.most_hash_entries:
        raise Errno(rules.too_many_hash_entries)
    # Since 4.6 all elements are allocated beforehand; in 4.1 the bucket heads are.
    values = environment.cpus if per_cpu else 1
    check_memory(environment, wanted.max_entries * (element * values if rules.preallocates else 8))


def create_hash(environment: Environment, wanted: CreateMap) -> Map:
    """Makes a map of BPF_MAP_TYPE_HASH or BPF_MAP_TYPE_PERCPU_HASH."""
    check(environment, wanted)
    return HashMap(environment, wanted)


class HashMap(ElementMap):
    """A hash map. Where each CPU has a value of its own, an update changes the existing element; elsewhere a new
    element replaces it, and a pointer to the old value does not see the new one."""

    def __init__(self, environment: Environment, wanted: CreateMap) -> None:
        super().__init__(environment, wanted)
        self._full_before_flags = environment.rules.maps.full_before_flags
        self._elements: dict[bytes, Element] = {}

    def _find(self, key: bytes) -> Element | None:
        return self._elements.get(key)

    def _place(self, key: bytes, flags: int, cpu: int) -> Element:
        """Returns the element; raises Errno E2BIG, EEXIST, ENOENT."""
        full = key not in self._elements and len(self._elements) >= self.max_entries
        if full and self._full_before_flags:
            raise Errno("E2BIG")
        self._check_flags(key, flags)
        if full:
            raise Errno("E2BIG")
        if key not in self._elements or not self.per_cpu:
            self._elements[key] = self.shape.zero()
        return self._elements[key]

    def _check_flags(self, key: bytes, flags: int) -> None:
        """check_flags()."""
        if key in self._elements and flags == UpdateFlag.NOEXIST:
            raise Errno("EEXIST")
        if key not in self._elements and flags == UpdateFlag.EXIST:
            raise Errno("ENOENT")

    def _delete(self, key: bytes) -> None:
        if self._elements.pop(key, None) is None:
            raise Errno("ENOENT")

    def _following(self, key: bytes | None) -> tuple[bytes, ...]:
        """Returns the possible next keys. Their order depends on the hash function, so only maps with few elements are
        predicted."""
        if key not in self._elements:
            return _some(self._elements)
        others = [other for other in self._elements if other != key]
        if others:
            raise Unpredictable("the order of a hash map's keys is unspecified, and this key may be its last")
        raise Errno("ENOENT")

    def _all(self) -> Iterable[tuple[bytes, Element]]:
        return self._elements.items()


def _some(keys: Iterable[bytes]) -> tuple[bytes, ...]:
    found = tuple(keys)
    if not found:
        raise Errno("ENOENT")
    return found
