# SPDX-License-Identifier: MIT
"""What a way to unwind needs of a stopped CPU, and what it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from hil.errors import BenchError
from hil.gdb.errors import GdbRefused
from hil.gdb.frame import Frame

LIMIT = 64
"""Frames at most; a kernel stack of 16 KiB holds fewer, so more are a stack that leads in circles."""


class Stopped(Protocol):
    """A CPU that stands still; `hil.gdb.session.GdbSession` is one."""

    def registers(self) -> Mapping[str, int]: ...

    def read_memory(self, address: int, size: int) -> bytes: ...

    def backtrace(self) -> tuple[Frame, ...]: ...


class Unwinder(Protocol):
    """One way to unwind."""

    def frames(self, cpu: Stopped) -> Iterator[Frame]:
        """The frames, innermost first; the last one is where the kernel was entered, or as far as the stack tells."""


class Unreadable(BenchError):
    """The stack leads to memory that is not there."""


def word(cpu: Stopped, address: int) -> int:
    """The 64 bit number at `address`; Unreadable when nothing is mapped there."""
    return int.from_bytes(memory(cpu, address, 8), "little")


def memory(cpu: Stopped, address: int, size: int) -> bytes:
    """`size` bytes at `address`; Unreadable when they are not all mapped."""
    try:
        return cpu.read_memory(address % (1 << 64), size)
    except GdbRefused as error:
        raise Unreadable(f"no memory at {address:#x}", details=error.details) from error
