# SPDX-License-Identifier: MIT
"""A CPU of a machine that stands still, for unwinders: `hil.gdb.unwind.stopped.Stopped` without gdb."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hil.gdb.errors import GdbRefused
from hil.gdb.frame import Frame
from hil.gdb.registers import register_file
from hil.machine.monitor import MonitorFailed

_PAGE = 4096
_USER = 1 << 63
"""Addresses below are user space's, on every architecture."""
_HALTS = {"x86_64": (b"\xf4",), "arm64": (b"\x7f\x20\x03\xd5",), "riscv64": (b"\x73\x00\x50\x10",)}
"""The instruction that waits for an interrupt: hlt; wfi."""


class Memory(Protocol):
    """The guest's memory: `hil.machine.Machine.memory`."""

    def __call__(self, address: int, size: int, cpu: int) -> bytes: ...


class StillCpu:
    """CPU `number` while nothing in the guest moves, with its general registers by gdb's names."""

    def __init__(self, number: int, architecture: str, registers: Mapping[str, int], memory: Memory) -> None:
        self.number = number
        self._architecture = architecture
        self._registers = registers
        self._memory = memory
        self._pages: dict[int, bytes] = {}

    def registers(self) -> Mapping[str, int]:
        return self._registers

    def read_memory(self, address: int, size: int) -> bytes:
        """Read memory as the CPU sees it; raises GdbRefused, which unwinders expect, where nothing is mapped."""
        first, last = address // _PAGE, (address + size - 1) // _PAGE
        whole = b"".join(self._page(page) for page in range(first, last + 1))
        start = address - first * _PAGE
        return whole[start : start + size]

    def backtrace(self) -> tuple[Frame, ...]:
        """The place alone: there is no debugger to unwind by."""
        return (Frame(self.pc),)

    @property
    def pc(self) -> int:
        """The address of the next instruction."""
        return self._registers[register_file(self._architecture).pc]

    @property
    def sp(self) -> int:
        """The stack pointer."""
        return self._registers[register_file(self._architecture).sp]

    @property
    def in_user_space(self) -> bool:
        return self.pc < _USER

    @property
    def waits(self) -> bool:
        """Whether it waits for an interrupt: the instruction before is the one that does that."""
        try:
            return any(self.read_memory(self.pc - len(halt), len(halt)) == halt for halt in _HALTS[self._architecture])
        except GdbRefused:
            return False

    def _page(self, page: int) -> bytes:
        if page not in self._pages:
            try:
                self._pages[page] = self._memory(page * _PAGE, _PAGE, self.number)
            except MonitorFailed as error:
                raise GdbRefused(f"QEMU reads no memory at {page * _PAGE:#x}", details=error.what) from error
        return self._pages[page]
