# SPDX-License-Identifier: MIT
"""Kernels with frame pointers: a function links a record of its caller's frame pointer and the return address.

Two things the chain of records does not tell: who called a function that has not linked its record yet, and whom an
exception interrupted. Each architecture keeps both in a place of its own, which a `Convention` knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from hil.gdb.frame import Frame
from hil.gdb.registers import RegisterFile
from hil.gdb.table import SymbolTable
from hil.gdb.unwind.stopped import LIMIT, Stopped, Unreadable, memory, word

_LONGEST_PROLOGUE = 256


@dataclass(frozen=True)
class Place:
    """Registers of a function that was interrupted, by the debugger or by an exception."""

    pc: int
    sp: int
    fp: int
    link: int


class Convention(Protocol):
    """What an architecture's compiler and entry code do. `record` is where the record of a function is, in bytes from
    the frame pointer."""

    record: int

    def unlinked_return(self, cpu: Stopped, code: bytes, place: Place) -> int | None:
        """The return address at `place` in a function of which `code` was passed; None when its record is linked."""

    def interrupted(self, cpu: Stopped, record: int) -> Place | None:
        """The place an exception interrupted, if the function that `record` returns to is the exception's entry."""

    def return_address(self, value: int) -> int:
        """A return address as it was before it was signed."""

    def original(self, cpu: Stopped, symbols: SymbolTable, address: int) -> int:
        """Where code that the kernel copied comes from; other addresses as they are."""


class FramePointer:
    """Follows the chain."""

    def __init__(self, symbols: SymbolTable, registers: RegisterFile, convention: Convention) -> None:
        self._symbols = symbols
        self._registers = registers
        self._convention = convention

    def frames(self, cpu: Stopped) -> Iterator[Frame]:
        names, registers = self._registers, cpu.registers()
        link = registers[names.link] if names.link else 0
        place: Place | None = Place(registers[names.pc], registers[names.sp], registers[names.fp], link)
        record = 0
        try:
            for _ in range(LIMIT):
                if place is not None:
                    yield from self._interrupted(cpu, place)
                    record = place.fp + self._convention.record
                if not _of_the_kernel(record):
                    return
                address = self._convention.return_address(word(cpu, record + 8))
                if not _of_the_kernel(address):
                    return
                yield self._returned_to(cpu, address)
                place = self._convention.interrupted(cpu, record)
                record = word(cpu, record) + self._convention.record
        except Unreadable:
            return

    def _interrupted(self, cpu: Stopped, place: Place) -> Iterator[Frame]:
        """The frame at `place`, and the one of its caller where the chain leaves it out."""
        frame = self._symbols.frame(place.pc, returns=False)
        yield frame
        if frame.function is None:
            return
        code = memory(cpu, place.pc - frame.offset, min(frame.offset, _LONGEST_PROLOGUE)) if frame.offset else b""
        address = self._convention.unlinked_return(cpu, code, place)
        if address is not None:
            yield self._returned_to(cpu, self._convention.return_address(address))

    def _returned_to(self, cpu: Stopped, address: int) -> Frame:
        text = self._convention.original(cpu, self._symbols, address)
        return replace(self._symbols.frame(text, returns=True), address=address)


def _of_the_kernel(address: int) -> bool:
    """Whether it is in the upper half, which is the kernel's on every architecture."""
    return address >> 63 == 1
