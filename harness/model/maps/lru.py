# SPDX-License-Identifier: MIT
"""Hash maps that evict elements to make room: htab_lru_map_update_elem() and its like, kernel/bpf/hashtab.c.

Programs' lookups and replacing updates mark an element as referenced, system calls' lookups do not.
"""

from __future__ import annotations

from harness.abi.bpf import MapFlag
from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps.base import Map
from harness.model.maps.elements import Element
from harness.model.maps.hash import HashMap, check
from harness.model.maps.lru_list import Common, LruLists, Node, Own
from harness.model.memory import Region
from harness.script.operations import CreateMap, UpdateFlag


def create_lru(environment: Environment, wanted: CreateMap) -> Map:
    """Makes a map of BPF_MAP_TYPE_LRU_HASH or BPF_MAP_TYPE_LRU_PERCPU_HASH."""
    check(environment, wanted)
    return LruMap(environment, wanted)


class LruMap(HashMap):
    """An LRU map. A node is taken before the key is looked up; so an update that replaces, or fails, may evict another
    element all the same, or the very one it is about."""

    def __init__(self, environment: Environment, wanted: CreateMap) -> None:
        super().__init__(environment, wanted)
        self._nodes: dict[bytes, Node] = {}
        self._recency = self._lists(environment, wanted)

    def _lists(self, environment: Environment, wanted: CreateMap) -> LruLists:
        size, cpus = wanted.max_entries, environment.cpus
        if wanted.flags & MapFlag.NO_COMMON_LRU:
            return Own(-(-size // cpus) * cpus, cpus, evict=self._evicted)
        small = environment.rules.maps.small_lru_batches.in_release(environment.version_code)
        if small is None:
            self.doubt = "whether this release takes free elements of an LRU map in small batches"
        return Common(size, cpus, small_batches=bool(small), evict=self._evicted)

    def _lookup(self, key: bytes, cpu: int) -> Region | None:
        if key in self._nodes:
            self._nodes[key].referenced = True
        return super()._lookup(key, cpu)

    def _place(self, key: bytes, flags: int, cpu: int) -> Element:
        new = None
        if not (self.per_cpu and flags == UpdateFlag.EXIST):
            new = self._recency.pop(key, cpu)
            if new is None:
                raise Errno("ENOMEM")
        try:
            self._check_flags(key, flags)
        except Errno:
            if new is not None:
                self._recency.push(new)
            raise
        old = self._nodes.get(key)
        if old is not None and self.per_cpu:
            old.referenced = True
            if new is not None:
                self._recency.push(new)
            return self._elements[key]
        assert new is not None
        if old is not None:
            new.referenced = True
            self._recency.push(old)
        self._nodes[key] = new
        self._elements[key] = self.shape.zero()
        return self._elements[key]

    def _delete(self, key: bytes) -> None:
        super()._delete(key)
        self._recency.push(self._nodes.pop(key))

    def _evicted(self, node: Node) -> None:
        del self._elements[node.key], self._nodes[node.key]
