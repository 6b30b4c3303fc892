# SPDX-License-Identifier: MIT
"""Frame pointers and exceptions of x86_64 kernels with CONFIG_FRAME_POINTER; arch/x86/kernel/entry_64.S of 4.1."""

from __future__ import annotations

from hil.gdb.unwind import trampoline
from hil.gdb.unwind.frame_pointer import Place
from hil.gdb.unwind.stopped import Stopped, Symbols, word

_PUSH_RBP = b"\x55"
_LINKS = b"\x55\x48\x89\xe5"  # push %rbp; mov %rsp,%rbp

# struct pt_regs, arch/x86/include/asm/ptrace.h, and the kernel's code segment, asm/segment.h.
_BP, _IP, _CS, _SP = 32, 128, 136, 152
_KERNEL_CS = 0x10


class X8664:
    """A `hil.gdb.unwind.frame_pointer.Convention`."""

    record = 0

    def unlinked_return(self, cpu: Stopped, code: bytes, place: Place) -> int | None:
        if _LINKS in code:
            return None
        return word(cpu, place.sp + (8 if code.endswith(_PUSH_RBP) else 0))

    def interrupted(self, cpu: Stopped, record: int) -> Place | None:
        # The entry code calls with the stack pointer at struct pt_regs, so that follows the return address.
        registers = record + 16
        pc = word(cpu, registers + _IP)
        if word(cpu, registers + _CS) != _KERNEL_CS or pc >> 63 == 0:
            return None
        return Place(pc, word(cpu, registers + _SP), word(cpu, registers + _BP), 0)

    def return_address(self, value: int) -> int:
        return value

    def original(self, cpu: Stopped, symbols: Symbols, address: int) -> int:
        return trampoline.original(cpu, symbols, address)
