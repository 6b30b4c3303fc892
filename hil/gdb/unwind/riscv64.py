# SPDX-License-Identifier: MIT
"""Frame pointers and exceptions of riscv64 kernels with CONFIG_FRAME_POINTER; arch/riscv/kernel/stacktrace.c and
entry.S of 6.12."""

from __future__ import annotations

from collections.abc import Iterator

from hil.gdb.unwind.frame_pointer import Place
from hil.gdb.unwind.stopped import Stopped, Symbols, word

# `addi s0, sp, n`, and the same compressed (c.addi4spn s0, n): the record is linked.
_LINKS, _LINKS_MASK = 0x00010413, 0x000FFFFF
_LINKS_COMPRESSED, _LINKS_COMPRESSED_MASK = 0x0000, 0xE01F
_LONG = 0b11  # in the low bits of an instruction of four bytes; others have two

# struct pt_regs, arch/riscv/include/asm/ptrace.h, and the status bit that is set when the kernel was interrupted.
_EPC, _RA, _SP, _S0, _STATUS = 0, 8, 16, 64, 256
_SPP = 0x100


class Riscv64:
    """A `hil.gdb.unwind.frame_pointer.Convention`."""

    record = -16  # the frame pointer is the stack pointer of the caller, and the record ends there

    def unlinked_return(self, cpu: Stopped, code: bytes, place: Place) -> int | None:
        return None if any(map(_links, _instructions(code))) else place.link

    def interrupted(self, cpu: Stopped, record: int) -> Place | None:
        # The entry code calls with the stack pointer at struct pt_regs, and with the stack pointer it found in s0.
        registers = record + 16
        pc, sp = word(cpu, registers + _EPC), word(cpu, registers + _SP)
        if not word(cpu, registers + _STATUS) & _SPP or pc >> 63 == 0 or word(cpu, record) != sp:
            return None
        return Place(pc, sp, word(cpu, registers + _S0), word(cpu, registers + _RA))

    def return_address(self, value: int) -> int:
        return value

    def original(self, cpu: Stopped, symbols: Symbols, address: int) -> int:
        return address


def _instructions(code: bytes) -> Iterator[int]:
    at = 0
    while at + 2 <= len(code):
        size = 4 if code[at] & _LONG == _LONG else 2
        yield int.from_bytes(code[at : at + size], "little")
        at += size


def _links(instruction: int) -> bool:
    if instruction & _LONG == _LONG:
        return instruction & _LINKS_MASK == _LINKS
    return instruction != 0 and instruction & _LINKS_COMPRESSED_MASK == _LINKS_COMPRESSED
