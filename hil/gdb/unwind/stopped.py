# SPDX-License-Identifier: MIT
"""The interfaces of unwinders: what they need of a stopped CPU, and what they give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from hil.errors import BenchError
from hil.gdb.errors import GdbRefused
from hil.gdb.frame import Frame

LIMIT = 64
"""The most frames of a backtrace; a kernel stack of 16 KiB holds fewer, so a longer one is a cycle."""


class Stopped(Protocol):
    """A stopped CPU; `hil.gdb.session.GdbSession` is one."""

    def registers(self) -> Mapping[str, int]: ...

    def read_memory(self, address: int, size: int) -> bytes: ...

    def backtrace(self) -> tuple[Frame, ...]: ...


class Symbol(Protocol):
    """A function: `hil.gdb.table.Symbol` is one."""

    @property
    def name(self) -> str: ...

    @property
    def address(self) -> int: ...


class Symbols(Protocol):
    """The symbols of a kernel; `hil.gdb.table.SymbolTable` has them, and says what each method does."""

    def address(self, name: str) -> int | None: ...

    def function_at(self, address: int) -> Symbol | None: ...

    def frame(self, address: int, *, returns: bool) -> Frame: ...


class Unwinder(Protocol):
    """One method to unwind."""

    def frames(self, cpu: Stopped) -> Iterator[Frame]:
        """Yield the frames, innermost first, up to where the kernel was entered, or as far as the stack can be read."""


class Unreadable(BenchError):
    """The stack points to memory that is not mapped."""


def word(cpu: Stopped, address: int) -> int:
    """The 64-bit number at `address`; raises Unreadable when nothing is mapped there."""
    return int.from_bytes(memory(cpu, address, 8), "little")


def memory(cpu: Stopped, address: int, size: int) -> bytes:
    """Read `size` bytes at `address`; raises Unreadable when not all of them are mapped."""
    try:
        return cpu.read_memory(address % (1 << 64), size)
    except GdbRefused as error:
        raise Unreadable(f"no memory at {address:#x}", details=error.details) from error
