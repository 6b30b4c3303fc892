# SPDX-License-Identifier: MIT
"""What changed in maps: kernel/bpf/hashtab.c, arraymap.c, ringbuf.c, bpf_lru_list.c."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from harness.abi.bpf import MapFlag
from harness.model.rules import Backport, Upstream, version
from harness.model.upstream.change import BETWEEN_THOSE_SEEN, Change, change
from harness.release import Release
from harness.script.operations import MapType

_FILE = MapFlag.RDONLY | MapFlag.WRONLY
_ACCESS = _FILE | MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG  # BPF_F_ACCESS_MASK
_HASH = MapFlag.NO_PREALLOC | MapFlag.ZERO_SEED | _ACCESS
_LRU = _HASH | MapFlag.NO_COMMON_LRU
FLAGS: Mapping[int, int] = {
    # kernel/bpf/hashtab.c: HTAB_CREATE_FLAG_MASK, htab_map_alloc_check()
    MapType.HASH: _HASH | MapFlag.NUMA_NODE,
    MapType.PERCPU_HASH: _HASH,
    MapType.LRU_HASH: _LRU | MapFlag.NUMA_NODE,
    MapType.LRU_PERCPU_HASH: _LRU,
    # kernel/bpf/arraymap.c: ARRAY_CREATE_FLAG_MASK, array_map_alloc_check(), fd_array_map_alloc_check()
    MapType.ARRAY: MapFlag.NUMA_NODE | MapFlag.MMAPABLE | MapFlag.INNER_MAP | _ACCESS,
    MapType.PERCPU_ARRAY: _ACCESS,
    MapType.PROG_ARRAY: MapFlag.NUMA_NODE | _FILE,
    MapType.CGROUP_ARRAY: MapFlag.NUMA_NODE | _FILE,
    MapType.PERF_EVENT_ARRAY: MapFlag.NUMA_NODE | MapFlag.PRESERVE_ELEMS | _FILE,
    # kernel/bpf/stackmap.c: STACK_CREATE_FLAG_MASK; kernel/bpf/ringbuf.c: RINGBUF_CREATE_FLAG_MASK
    MapType.STACK_TRACE: MapFlag.NUMA_NODE | MapFlag.STACK_BUILD_ID | _FILE,
    MapType.RINGBUF: MapFlag.NUMA_NODE,
    # kernel/bpf/queue_stack_maps.c: QUEUE_STACK_CREATE_FLAG_MASK
    MapType.QUEUE: MapFlag.NUMA_NODE | _ACCESS,
}
"""The flags of 5.10. Each came in a release of its own, from 4.6 (NO_PREALLOC) to 5.10 (PRESERVE_ELEMS)."""


def _types(since: Release, named: Mapping[int, str]) -> Change:
    def more(rules: Upstream) -> Upstream:
        return replace(rules, maps=replace(rules.maps, types=rules.maps.types | set(named)))

    more.__doc__ = f"Maps may be of type {', '.join(named.values())} (enum bpf_map_type, include/uapi/linux/bpf.h)."
    return change(since)(more)


@change((4, 6), "6c9059817432, bpf: pre-allocate hash map elements")
def hash_maps_are_allocated_first(rules: Upstream) -> Upstream:
    """Hash maps allocate all their elements when they are made."""
    return replace(rules, maps=replace(rules.maps, preallocates=True))


@change((5, 1), "96049f3afd50, bpf: introduce BPF_F_LOCK flag")
def locks(rules: Upstream) -> Upstream:
    """Elements can be read and updated under a lock that they hold."""
    return replace(rules, maps=replace(rules.maps, lock_flag=True))


@change((5, 2), "87df15de441b, bpf: add syscall side map freeze support")
def maps_can_be_frozen(rules: Upstream) -> Upstream:
    """BPF_MAP_FREEZE keeps system calls from writing to a map."""
    return replace(rules, maps=replace(rules.maps, freezes=True))


@change((5, 5), "fc9702273e2e, bpf: Add mmap() support for BPF_MAP_TYPE_ARRAY")
def arrays_can_be_mapped(rules: Upstream) -> Upstream:
    """Array maps that were made for it can be mapped into memory."""
    return replace(rules, maps=replace(rules.maps, array_mmap=True))


@change((5, 10), after=(4, 5))
def map_flags(rules: Upstream) -> Upstream:
    """Each type of map takes flags of its own, and refuses all others with EINVAL."""
    return replace(rules, maps=replace(rules.maps, flags=MappingProxyType(FLAGS)))


@change((5, 10), after=(4, 1))
def sizes_of_maps(rules: Upstream) -> Upstream:
    """Sizes of maps are checked before memory is asked for: E2BIG where it was ENOMEM."""
    return replace(
        rules,
        maps=replace(
            rules.maps,
            # htab_map_alloc_check(): less than KMALLOC_MAX_SIZE - MAX_BPF_STACK - sizeof(struct htab_elem)
            most_hash_value=(4 << 20) - 512 - 48 - 1,
            most_hash_entries=1 << 27,  # htab_map_alloc(): buckets of 16 bytes counted in 32 bits
            too_many_hash_entries="E2BIG",
            most_array_value=4 << 20,
            too_large_array_value="E2BIG",
            most_array_bytes=None,
        ),
    )


@change((5, 10), after=(4, 1))
def flags_before_room(rules: Upstream) -> Upstream:
    """Updating an absent key of a full hash map with BPF_EXIST is ENOENT, not E2BIG: check_flags() comes before
    alloc_htab_elem()."""
    return replace(rules, maps=replace(rules.maps, full_before_flags=False))


@change((6, 1), after=(5, 10))
def keys_count(rules: Upstream) -> Upstream:
    """Key and value of a hash map share their limit, and the program's stack is none any more."""
    maps = replace(rules.maps, most_hash_key=None, most_hash_value=None, most_hash_element=(4 << 20) - 48 - 1)
    return replace(rules, maps=maps)


@change((6, 1), after=(5, 10))
def large_array_values(rules: Upstream) -> Upstream:
    """Values of array maps may be as large as an int counts."""
    return replace(rules, maps=replace(rules.maps, most_array_value=(1 << 31) - 1))


@change(
    (7, 2),
    after=(4, 6),
    stable=BETWEEN_THOSE_SEEN,
)
def per_cpu_values_are_checked(rules: Upstream) -> Upstream:
    """Values that are too large to be had for each CPU are E2BIG, where allocating them failed with ENOMEM."""
    window = per_cpu_values_are_checked.window(rules.release)
    return replace(rules, maps=replace(rules.maps, checks_per_cpu_values=window))


@change(
    (6, 16),
    "d4adf1c9ee77, bpf: Adjust free target to avoid global starvation of LRU map",
    stable={(6, 6): Backport(version(6, 6, 87), version(7, 0, 0)), (6, 12): Backport(0, version(6, 12, 117))},
)
def small_lru_batches(rules: Upstream) -> Upstream:
    """CPUs take free elements of an LRU map in batches of at most half their share of the map, not of 128."""
    return replace(rules, maps=replace(rules.maps, small_lru_batches=small_lru_batches.window(rules.release)))


@change((6, 19), after=(6, 12))
def rings_overwrite(rules: Upstream) -> Upstream:
    """Ring buffers take BPF_F_RB_OVERWRITE: new records take the place of old ones."""
    flags = {**rules.maps.flags, MapType.RINGBUF: MapFlag.NUMA_NODE | MapFlag.RB_OVERWRITE}
    return replace(rules, maps=replace(rules.maps, flags=MappingProxyType(flags)))


@change((7, 2), after=(6, 12))
def flags_of_one_cpu(rules: Upstream) -> Upstream:
    """Updates of per-CPU maps by system calls take BPF_F_CPU and BPF_F_ALL_CPUS."""
    return replace(rules, maps=replace(rules.maps, cpu_flags=True))


@change((7, 2), after=(6, 12))
def file_modes_last(rules: Upstream) -> Upstream:
    """Whether a descriptor may be for reading only and for writing only at once is asked of a map that is made."""
    return replace(rules, maps=replace(rules.maps, file_modes_last=True))


CHANGES: tuple[Change, ...] = (
    _types((4, 2), {3: "PROG_ARRAY"}),
    _types((4, 3), {4: "PERF_EVENT_ARRAY"}),
    _types((4, 6), {5: "PERCPU_HASH", 6: "PERCPU_ARRAY", 7: "STACK_TRACE"}),
    hash_maps_are_allocated_first,
    _types((4, 8), {8: "CGROUP_ARRAY"}),
    _types((4, 10), {9: "LRU_HASH", 10: "LRU_PERCPU_HASH"}),
    _types((4, 11), {11: "LPM_TRIE"}),
    _types((4, 12), {12: "ARRAY_OF_MAPS", 13: "HASH_OF_MAPS"}),
    _types((4, 14), {14: "DEVMAP", 15: "SOCKMAP"}),
    _types((4, 15), {16: "CPUMAP"}),
    _types((4, 18), {17: "XSKMAP", 18: "SOCKHASH"}),
    _types((4, 19), {19: "CGROUP_STORAGE", 20: "REUSEPORT_SOCKARRAY"}),
    _types((4, 20), {21: "PERCPU_CGROUP_STORAGE", 22: "QUEUE", 23: "STACK"}),
    locks,
    _types((5, 2), {24: "SK_STORAGE"}),
    _types((5, 4), {25: "DEVMAP_HASH"}),
    maps_can_be_frozen,
    arrays_can_be_mapped,
    _types((5, 6), {26: "STRUCT_OPS"}),
    _types((5, 8), {27: "RINGBUF"}),
    map_flags,
    sizes_of_maps,
    flags_before_room,
    _types((5, 11), {28: "INODE_STORAGE", 29: "TASK_STORAGE"}),
    _types((5, 16), {30: "BLOOM_FILTER"}),
    _types((6, 1), {31: "USER_RINGBUF"}),
    keys_count,
    large_array_values,
    _types((6, 2), {32: "CGRP_STORAGE"}),
    _types((6, 9), {33: "ARENA"}),
    small_lru_batches,
    rings_overwrite,
    flags_of_one_cpu,
    file_modes_last,
    per_cpu_values_are_checked,
)
