# SPDX-License-Identifier: MIT
"""What the verifier asks its surroundings: program type, license, maps of descriptors, log, limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.model.verifier.prototypes import ProgramKind


@dataclass(frozen=True, eq=False)
class MapShape:
    """The shape of one map. Two of equal shape are two maps: identity counts, so a duplicated descriptor must find the
    same one.

    `key_size` and `value_size` are bytes, unsigned 32 bit. Programs may read and write values, except where the flags
    forbid it (BPF_F_WRONLY_PROG, BPF_F_RDONLY_PROG, since 5.2). `entries` is how many it may have at most. `content` is
    its only value where nobody can write it any more, neither programs nor system calls, and it is known; None
    otherwise. With `constant` nobody can, or perhaps nobody.
    """

    type: int
    key_size: int
    value_size: int
    readable: bool = True
    writable: bool = True
    entries: int = 0
    content: bytes | None = None
    constant: bool = False


@dataclass(frozen=True)
class LogRequest:
    """The log fields of BPF_PROG_LOAD; `buffer` is whether log_buf is not null."""

    level: int = 0
    size: int = 0
    buffer: bool = False


@dataclass(frozen=True)
class Limits:
    """The limits of one release of the verifier."""

    instructions: int = 4096
    """BPF_MAXINSNS: bpf_check() refuses more; bpf_prog_load() already refused 4096 itself."""
    simulated: int = 32768
    pending: int = 1024
    maps: int = 64
    helpers: int = 12
    """__BPF_FUNC_MAX_ID, the first number that is no helper."""
    least_log: int = 128
    most_log: int = (1 << 32) - 1 >> 8


LINUX_4_1 = Limits()


def no_maps(fd: int) -> MapShape | str:
    """Stands for a process without any map: every descriptor is closed."""
    return "EBADF"


@dataclass(frozen=True)
class VerifierContext:
    """The program type `kind` with its helpers; `gpl` is whether its license is compatible; `find_map` returns the map
    of a descriptor, or the errno's name (EBADF for a closed one, EINVAL for one of another kind). For later releases:
    `typed` are the indices at which functions begin by the type information (func_info), `tail_calls_of_functions` is
    whether programs with functions may make tail calls, and `aligned` whether values of maps must be accessed
    aligned."""

    kind: ProgramKind
    gpl: bool = True
    find_map: Callable[[int], MapShape | str] = no_maps
    log: LogRequest = LogRequest()
    limits: Limits = LINUX_4_1
    typed: tuple[int, ...] = ()
    tail_calls_of_functions: bool = True
    interpreted: bool = False
    aligned: bool = False
