# SPDX-License-Identifier: MIT
"""Maps of which it is known how they are made, and nothing of their content: kernel/bpf/arraymap.c,
kernel/bpf/queue_stack_maps.c."""

from __future__ import annotations

from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.maps import file_array
from harness.model.maps.base import Map
from harness.model.maps.limits import check_flags, check_memory
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap, MapType
from harness.script.reason import Gap

MOST_QUEUED = 1 << 20
"""Bytes of a value below which every release lets it be."""


class OpaqueMap(Map):
    """A map whose content is unknown from the beginning."""

    def __init__(self, wanted: CreateMap) -> None:
        super().__init__(MapType(wanted.type), wanted.key_size, wanted.value_size, wanted.max_entries)
        self.distrust(f"what a map of type {self.type.name} holds")


def create_cgroup_array(environment: Environment, wanted: CreateMap) -> Map:
    """Makes a map of BPF_MAP_TYPE_CGROUP_ARRAY: cgroups, for programs to ask whether a task is in one."""
    file_array.check(environment, wanted)
    return OpaqueMap(wanted)


def create_queue(environment: Environment, wanted: CreateMap) -> Map:
    """queue_stack_map_alloc_check(): makes a map of BPF_MAP_TYPE_QUEUE; raises Errno EINVAL."""
    check_flags(environment, wanted)
    if wanted.max_entries == 0 or wanted.key_size or wanted.value_size == 0:
        raise Errno("EINVAL")
    if wanted.value_size > MOST_QUEUED:
        raise Unpredictable("how large the values of a queue may be", Gap.MAPS)
    check_memory(environment, (wanted.max_entries + 1) * wanted.value_size)
    return OpaqueMap(wanted)
