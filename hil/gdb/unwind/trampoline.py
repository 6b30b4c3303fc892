# SPDX-License-Identifier: MIT
"""Copies that x86 kernels make of the ftrace entry code, one for each user of ftrace; kprobes on functions are one."""

from __future__ import annotations

from hil.gdb.table import SymbolTable
from hil.gdb.unwind.stopped import Stopped, memory

_PAGE = 4096

# The beginning of a copy that is like the original's: registers being saved, before anything is patched.
_ALIKE = 32

_ORIGINALS = ("ftrace_regs_caller", "ftrace_caller")


def original(cpu: Stopped, symbols: SymbolTable, ip: int) -> int:
    """The place in the kernel's text that `ip`, in a copy, was copied from; `ip` itself when it is in none.

    create_trampoline(), arch/x86/kernel/ftrace.c (since 3.19), copies to the start of a page. The kernel finds its way
    back by structures that cannot be read without debug information (`orc_ftrace_find`), so we compare. Unreadable when
    `ip` is no address.
    """
    if symbols.function_at(ip):
        return ip
    page = ip - ip % _PAGE
    beginning = memory(cpu, page, _ALIKE)
    for name in _ORIGINALS:
        address = symbols.address(name)
        if address is not None and memory(cpu, address, _ALIKE) == beginning:
            return address + ip % _PAGE
    return ip
