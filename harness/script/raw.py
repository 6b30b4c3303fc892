# SPDX-License-Identifier: MIT
"""System calls with raw arguments."""

from __future__ import annotations

from dataclasses import dataclass

from harness.script.values import Buffer, Descriptor, EventSource, Functions, Pointers, Ref


@dataclass(frozen=True)
class Part:
    """A part of a structure: `size` bytes at `offset` that hold a number, what a name stands for, or the address of a
    buffer, or of an array of such addresses; or what only the running kernel tells."""

    offset: int
    size: int
    value: int | Ref | Buffer | Pointers | Functions | EventSource


@dataclass(frozen=True)
class RawBpf:
    """bpf(2) with raw arguments, for error paths.

    `size` is the third argument; `length` is how many bytes are accessible (None: `size` of them), the byte after them
    cannot be read. `address` replaces the pointer to them. A descriptor it returns gets `name`, if there is one.
    """

    command: int
    parts: tuple[Part, ...] = ()
    size: int = 48
    length: int | None = None
    address: int | None = None
    name: str | None = None

    @property
    def nbytes(self) -> int:
        """Returns how many bytes the script itself passes."""
        if self.address is not None:
            return 0
        return self.size if self.length is None else self.length


@dataclass(frozen=True)
class RawOpenEvent:
    """perf_event_open(2) with raw arguments; the fields are as in `RawBpf`.

    `parts` must hold `size` at offset 4 where it is not meant to be 0.
    """

    name: str
    parts: tuple[Part, ...]
    pid: int = 0
    cpu: int = -1
    group: int = -1
    flags: int = 8  # PERF_FLAG_FD_CLOEXEC
    length: int = 112


@dataclass(frozen=True)
class Ioctl:
    """ioctl(2) with any request number on any descriptor."""

    descriptor: Descriptor
    request: int
    argument: int = 0


@dataclass(frozen=True)
class WriteKprobeEvents:
    """write(2) of one unchanged command to tracefs' kprobe_events. `{}` in it is the script's own group and the prefix
    of names it may use, so that scripts never meet; what it makes, it must remove itself."""

    command: str
