# SPDX-License-Identifier: MIT
"""The checks that making a map of any type makes: flags, and memory."""

from __future__ import annotations

from harness.abi.bpf import MapFlag
from harness.model.environment import Environment
from harness.model.errno import Errno
from harness.model.unpredictable import Unpredictable
from harness.script.operations import CreateMap
from harness.script.reason import Gap

# Plain numbers, for operators of flags are slow and trials of programs make many maps.
FILE_MODES = MapFlag.RDONLY | MapFlag.WRONLY
PROGRAM_MODES = MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG
NOT_MODELLED = MapFlag.STACK_BUILD_ID | MapFlag.RB_OVERWRITE
"""Flags that some type takes, and whose effect the model does not know."""
LARGEST_CERTAIN = 16 << 20
"""The bytes that any guest's memory has for a map."""
MOST_PER_CPU = 32 << 10
"""PCPU_MIN_UNIT_SIZE, include/linux/percpu.h: bytes of a value with its padding."""


def check_file_modes(flags: int) -> None:
    """bpf_get_file_flag(), kernel/bpf/syscall.c: raises Errno EINVAL for a descriptor that would be neither readable
    nor writable."""
    if flags & FILE_MODES == FILE_MODES:
        raise Errno("EINVAL")


def check_flags(environment: Environment, wanted: CreateMap) -> None:
    """Raises Errno EINVAL for flags that the type does not take in this era, or not together;
    bpf_map_flags_access_ok()."""
    taken, flags = environment.rules.maps.flags.get(wanted.type, 0), wanted.flags
    if flags & ~taken or flags & PROGRAM_MODES == PROGRAM_MODES:
        raise Errno("EINVAL")
    if unknown := flags & NOT_MODELLED:
        raise Unpredictable(f"the model does not know what map_flags {unknown:#x} do", Gap.MAPS)


class Unaffordable(Unpredictable):
    """The guest may not have the memory for a map."""


def check_memory(environment: Environment, size: int) -> None:
    """Raises Unaffordable when the guest may not have `size` bytes."""
    if size > LARGEST_CERTAIN and not environment.affords:
        raise Unaffordable(f"whether a map of {size} bytes can be allocated depends on the guest's memory")


def check_per_cpu(environment: Environment, value_size: int) -> None:
    """Raises Errno E2BIG, or ENOMEM where nothing checks before, for a value that is too large to be allocated for each
    CPU."""
    if -(-value_size // 8) * 8 <= MOST_PER_CPU:
        return
    checks = environment.rules.maps.checks_per_cpu_values.in_release(environment.version_code)
    if checks is None:
        raise Unpredictable("with which errno this release refuses large values of per-CPU maps", Gap.ORDER)
    raise Errno("E2BIG" if checks else "ENOMEM")
