# SPDX-License-Identifier: MIT
"""Unwinding by frame pointers: a function links a record of its caller's frame pointer and the return address.

The chain of records lacks two things: the caller of a function that has not linked its record yet, and the function
that an exception interrupted. Where they are depends on the architecture, and is described by a `Convention`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from hil.gdb.frame import Frame
from hil.gdb.registers import RegisterFile
from hil.gdb.unwind.stopped import LIMIT, Stopped, Symbols, Unreadable, memory, word

_LONGEST_PROLOGUE = 256
_RECORD_BYTES = 16


@dataclass(frozen=True)
class Place:
    """The registers at the place where a debugger or an exception interrupted a function."""

    pc: int
    sp: int
    fp: int
    link: int


class Convention(Protocol):
    """The conventions of an architecture's compiler and entry code. `record` is the offset of a function's record from
    the frame pointer, in bytes."""

    record: int

    def unlinked_return(self, cpu: Stopped, code: bytes, place: Place) -> int | None:
        """The return address at `place`, before which the function executed `code`; None when its record is linked."""

    def interrupted(self, cpu: Stopped, record: int) -> Place | None:
        """The place that an exception interrupted; None unless `record` returns to the exception's entry code."""

    def return_address(self, value: int) -> int:
        """The return address `value` without a signature."""

    def original(self, cpu: Stopped, symbols: Symbols, address: int) -> int:
        """The address that the code at `address` was copied from; `address` itself when it was not copied."""


class FramePointer:
    """An unwinder that follows the chain of frame records."""

    def __init__(self, symbols: Symbols, registers: RegisterFile, convention: Convention) -> None:
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
                if not _is_kernel_address(record):
                    return
                address = self._convention.return_address(word(cpu, record + 8))
                if not _is_kernel_address(address):
                    return
                linked = word(cpu, record)
                # Behind the record is where the stack pointer of the caller is at most.
                yield replace(self._returned_to(cpu, address), sp=record + _RECORD_BYTES, fp=linked)
                place = self._convention.interrupted(cpu, record)
                record = linked + self._convention.record
        except Unreadable:
            return

    def _interrupted(self, cpu: Stopped, place: Place) -> Iterator[Frame]:
        """Yield the frame at `place`, and that of its caller where the chain lacks it."""
        frame = replace(self._symbols.frame(place.pc, returns=False), sp=place.sp, fp=place.fp)
        yield frame
        if frame.function is None:
            return
        code = memory(cpu, place.pc - frame.offset, min(frame.offset, _LONGEST_PROLOGUE)) if frame.offset else b""
        address = self._convention.unlinked_return(cpu, code, place)
        if address is not None:
            caller = self._returned_to(cpu, self._convention.return_address(address))
            yield replace(caller, sp=place.sp, fp=place.fp)

    def _returned_to(self, cpu: Stopped, address: int) -> Frame:
        text = self._convention.original(cpu, self._symbols, address)
        return replace(self._symbols.frame(text, returns=True), address=address)


def _is_kernel_address(address: int) -> bool:
    """Whether `address` is in the upper half, which is the kernel's on every architecture."""
    return address >> 63 == 1
