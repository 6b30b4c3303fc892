# SPDX-License-Identifier: MIT
"""BPF_MAP_CREATE: find_and_alloc_map() (map_create() in later releases), kernel/bpf/syscall.c."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps.array import create_array
from harness.model.maps.base import Map
from harness.model.maps.event_array import create_event_array
from harness.model.maps.hash import create_hash
from harness.model.maps.limits import check_file_modes
from harness.model.maps.lru import create_lru
from harness.model.maps.opaque import create_cgroup_array, create_queue
from harness.model.maps.program_array import create_program_array
from harness.model.maps.ring_buffer import create_ring_buffer
from harness.model.maps.stack_trace import create_stack_trace
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap, MapType
from harness.script.reason import Gap

_MAKERS: Mapping[int, Callable[[Environment, CreateMap], Map]] = {
    MapType.HASH: create_hash,
    MapType.ARRAY: create_array,
    MapType.PROG_ARRAY: create_program_array,
    MapType.PERF_EVENT_ARRAY: create_event_array,
    MapType.PERCPU_HASH: create_hash,
    MapType.PERCPU_ARRAY: create_array,
    MapType.STACK_TRACE: create_stack_trace,
    MapType.CGROUP_ARRAY: create_cgroup_array,
    MapType.LRU_HASH: create_lru,
    MapType.LRU_PERCPU_HASH: create_lru,
    MapType.QUEUE: create_queue,
    MapType.RINGBUF: create_ring_buffer,
}
"""One function for each type, which makes the checks of that type's allocation in the kernel's order."""


def allocate(environment: Environment, wanted: CreateMap) -> Map:
    """Returns the new map; raises Errno EINVAL, E2BIG, ENOMEM, ENOTSUPP as the era's kernel does."""
    rules = environment.rules.maps
    if wanted.flags and not rules.flags:
        raise Errno("EINVAL")
    if not rules.file_modes_last:
        check_file_modes(wanted.flags)
    if wanted.type not in rules.types:
        raise Errno("EINVAL")
    if wanted.type not in _MAKERS:
        raise Unpredictable(f"the model has no rules for maps of type {wanted.type}", Gap.MAPS)
    made = _MAKERS[wanted.type](environment, wanted)
    check_file_modes(wanted.flags)
    made.flags = wanted.flags
    return made
