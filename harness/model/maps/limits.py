"""What making a map of any type looks at: flags, and the memory it takes."""

from __future__ import annotations

from enum import IntFlag

from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.value import Unpredictable


class MapFlag(IntFlag):
    """map_flags, include/uapi/linux/bpf.h, of which the model knows what they do."""

    NO_PREALLOC = 1
    """Elements are allocated when they are made; nothing here shows it. Since 4.6."""
    NO_COMMON_LRU = 2
    """Each CPU has a list of its own, of which elements it evicts."""
    NUMA_NODE = 4
    """Since 4.14; the node is 0 unless numa_node says otherwise, and guests have one."""


MEANINGLESS_FLAGS = 0xFFFF0000
"""No release gave these bits a meaning without another descriptor in the attribute."""
LARGEST_CERTAIN = 16 << 20
"""Bytes a map may take before the guest's memory decides whether it can."""
MOST_PER_CPU = 32 << 10
"""PCPU_MIN_UNIT_SIZE, include/linux/percpu.h: bytes of a value with its padding."""


def check_flags(flags: int, *, taken: int, refused: int = 0) -> None:
    """Errno EINVAL for flags that are `refused` or mean nothing; Unpredictable for others that are not `taken`."""
    if flags & (MEANINGLESS_FLAGS | refused):
        raise Errno("EINVAL")
    if flags & ~taken:
        raise Unpredictable(f"the model does not know map_flags {flags & ~taken:#x}")


def check_memory(size: int) -> None:
    """Unpredictable when the guest may not have `size` bytes."""
    if size > LARGEST_CERTAIN:
        raise Unpredictable(f"whether a map of {size} bytes can be had depends on the guest's memory")


def check_per_cpu(environment: Environment, value_size: int) -> None:
    """Errno E2BIG, or ENOMEM where nobody looks before, for a value that is too large to be had for each CPU."""
    if -(-value_size // 8) * 8 <= MOST_PER_CPU:
        return
    checks = environment.rules.maps.checks_per_cpu_values.in_release(environment.version_code)
    if checks is None:
        raise Unpredictable("with which errno this release refuses large values of per-CPU maps")
    raise Errno("E2BIG" if checks else "ENOMEM")
