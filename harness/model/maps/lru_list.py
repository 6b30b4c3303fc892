# SPDX-License-Identifier: MIT
"""Eviction from LRU maps: kernel/bpf/bpf_lru_list.c.

A node is on one list at a time. Used ones begin on the inactive list, or on the pending list of the CPU that made them;
those that were referenced since move to the active list when a rotation comes to them. The order is approximate:
eviction takes batches from the tail of the inactive list. Free nodes are all alike and only counted here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

BATCH = 128
"""LOCAL_FREE_TARGET: how many free nodes a CPU takes at a time, and LOCAL_NR_SCANS: how many it looks at."""
OWN_BATCH = 4
"""PERCPU_FREE_TARGET and PERCPU_NR_SCANS, the same where each CPU has a list of its own."""


@dataclass(eq=False)
class Node:
    """The node of the element under `key`; `cpu` is where it was made."""

    key: bytes
    cpu: int
    referenced: bool = False


class LruLists(Protocol):
    """The interface that a map needs of its lists."""

    def pop(self, key: bytes, cpu: int) -> Node | None:
        """Returns a node for a new element, which may evict others; None when there is none."""

    def push(self, node: Node) -> None:
        """Frees the node of an element that was deleted."""


class LruList:
    """struct bpf_lru_list. Lists begin with the head, where nodes are put; `evict` takes an element out of the map."""

    def __init__(self, free: int, scans: int, evict: Callable[[Node], None]) -> None:
        self.free = free
        self.active: list[Node] = []
        self.inactive: list[Node] = []
        self._scans = scans
        self._evict = evict
        self._next_rotation: Node | None = None
        """The head of the list is None, as for the functions below."""

    def put(self, node: Node, on: list[Node]) -> None:
        """Puts a node that was on no list here."""
        node.referenced = False
        on.insert(0, node)

    def release(self, node: Node) -> None:
        """bpf_lru_list_push_free()."""
        self._remove(node)
        self.free += 1

    def rotate(self) -> None:
        """__bpf_lru_list_rotate(): moves referenced nodes to the head of the active list; others of it are demoted when
        it is the longer one."""
        if len(self.inactive) < len(self.active):
            for node in self.active[: -self._scans - 1 : -1]:
                target = self.active if node.referenced else self.inactive
                self._move(node, target)
        self._rotate_inactive()

    def shrink(self, wanted: int) -> int:
        """__bpf_lru_list_shrink(): evicts up to `wanted` nodes, at least one if there is any; returns how many."""
        shrunk = 0
        for node in self.inactive[: -self._scans - 1 : -1]:
            if node.referenced:
                self._move(node, self.active)
                continue
            self._drop(node)
            shrunk += 1
            if shrunk == wanted:
                break
        last = self.inactive or self.active
        if not shrunk and last:
            self._drop(last[-1])
            shrunk = 1
        return shrunk

    def _rotate_inactive(self) -> None:
        if not self.inactive:
            return
        last = self._after(self._next_rotation) or self.inactive[0]
        current = self._next_rotation or self.inactive[-1]
        following: Node | None = current
        for _ in range(self._scans):
            following = self._before(current)
            if current.referenced:
                self._move(current, self.active)
            if current is last:
                break
            # `last` is still to come, so the list is not empty.
            current = following or self.inactive[-1]
        self._next_rotation = following

    def _move(self, node: Node, target: list[Node]) -> None:
        self._remove(node)
        self.put(node, target)

    def _drop(self, node: Node) -> None:
        self._remove(node)
        self._evict(node)

    def _remove(self, node: Node) -> None:
        if node is self._next_rotation:
            self._next_rotation = self._before(node)
        (self.inactive if node in self.inactive else self.active).remove(node)

    def _before(self, node: Node) -> Node | None:
        index = self.inactive.index(node)
        return self.inactive[index - 1] if index else None

    def _after(self, node: Node | None) -> Node | None:
        index = self.inactive.index(node) + 1 if node else 0
        return self.inactive[index] if index < len(self.inactive) else None


@dataclass(eq=False)
class Local:
    """struct bpf_lru_locallist of one CPU."""

    next_steal: int
    free: int = 0
    pending: list[Node] = field(default_factory=list)


class Common:
    """One LRU list for all CPUs, each of which takes free nodes from it in batches, and returns its used ones at that
    time."""

    def __init__(self, size: int, cpus: int, *, small_batches: bool, evict: Callable[[Node], None]) -> None:
        self._list = LruList(size, BATCH, evict)
        self._locals = [Local(cpu) for cpu in range(cpus)]
        self._batch = min(max(size // cpus // 2, 1), BATCH) if small_batches else BATCH
        self._evict = evict

    def pop(self, key: bytes, cpu: int) -> Node | None:
        """bpf_common_lru_pop_free()."""
        local = self._locals[cpu]
        if not local.free:
            self._refill(local)
        if local.free:
            local.free -= 1
        elif not self._steal(local):
            return None
        node = Node(key, cpu)
        local.pending.insert(0, node)
        return node

    def push(self, node: Node) -> None:
        """bpf_common_lru_push_free()."""
        local = self._locals[node.cpu]
        if node in local.pending:
            local.pending.remove(node)
            local.free += 1
        else:
            self._list.release(node)

    def _refill(self, local: Local) -> None:
        """bpf_lru_list_pop_free_to_local()."""
        for node in reversed(local.pending):
            self._list.put(node, self._list.active if node.referenced else self._list.inactive)
        local.pending.clear()
        self._list.rotate()
        local.free = min(self._list.free, self._batch)
        self._list.free -= local.free
        if local.free < self._batch:
            local.free += self._list.shrink(self._batch - local.free)

    def _steal(self, local: Local) -> bool:
        """Takes from a free or a pending list, beginning with the CPU that is next."""
        count = len(self._locals)
        for step in range(count):
            victim = self._locals[(local.next_steal + step) % count]
            if victim.free or victim.pending:
                if victim.free:
                    victim.free -= 1
                else:
                    self._evict_pending(victim)
                local.next_steal = (local.next_steal + step + 1) % count
                return True
        return False

    def _evict_pending(self, victim: Local) -> None:
        """__local_list_pop_pending()."""
        oldest = [*(node for node in reversed(victim.pending) if not node.referenced), victim.pending[-1]]
        victim.pending.remove(oldest[0])
        self._evict(oldest[0])


class Own:
    """BPF_F_NO_COMMON_LRU: one LRU list for each CPU, none of which takes from another."""

    def __init__(self, size: int, cpus: int, *, evict: Callable[[Node], None]) -> None:
        self._lists = [LruList(size // cpus, OWN_BATCH, evict) for _ in range(cpus)]

    def pop(self, key: bytes, cpu: int) -> Node | None:
        """bpf_percpu_lru_pop_free()."""
        own = self._lists[cpu]
        own.rotate()
        if not own.free:
            own.free = own.shrink(OWN_BATCH)
        if not own.free:
            return None
        own.free -= 1
        node = Node(key, cpu)
        own.put(node, own.inactive)
        return node

    def push(self, node: Node) -> None:
        """bpf_percpu_lru_push_free()."""
        self._lists[node.cpu].release(node)
