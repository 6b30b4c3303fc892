# SPDX-License-Identifier: MIT
"""Every type of map by its number, those included that no operation here makes: `enum bpf_map_type` of 7.2."""

from __future__ import annotations

_NAMES = (
    *("unspec", "hash", "array", "prog_array", "perf_event_array", "percpu_hash", "percpu_array", "stack_trace"),
    *("cgroup_array", "lru_hash", "lru_percpu_hash", "lpm_trie", "array_of_maps", "hash_of_maps", "devmap", "sockmap"),
    *("cpumap", "xskmap", "sockhash", "cgroup_storage", "reuseport_sockarray", "percpu_cgroup_storage", "queue"),
    *("stack", "sk_storage", "devmap_hash", "struct_ops", "ringbuf", "inode_storage", "task_storage", "bloom_filter"),
    *("user_ringbuf", "cgrp_storage", "arena", "insn_array"),
)
NUMBERS = {name: number for number, name in enumerate(_NAMES)}
OF_MAPS = frozenset({NUMBERS["array_of_maps"], NUMBERS["hash_of_maps"]})


def type_name(number: int) -> str:
    """`perf_event_array`, or the number where no release up to 7.2 has such a type."""
    return _NAMES[number] if 0 <= number < len(_NAMES) else f"type {number}"
