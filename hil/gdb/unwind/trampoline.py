# SPDX-License-Identifier: MIT
"""The trampolines of x86 kernels: copies of the ftrace entry code, one for each user of ftrace, such as kprobes."""

from __future__ import annotations

from hil.gdb.unwind.stopped import Stopped, Symbols, memory

_PAGE = 4096

# The bytes at the beginning in which a copy equals the original: they save registers, before anything is patched.
_ALIKE = 32

_ORIGINALS = ("ftrace_regs_caller", "ftrace_caller")


def original(cpu: Stopped, symbols: Symbols, ip: int) -> int:
    """The address in the kernel's text that the code at `ip` was copied from; `ip` itself when it is in no copy.

    create_trampoline(), arch/x86/kernel/ftrace.c (since 3.19), copies to the start of a page. The kernel finds the
    original by structures that cannot be read without debug information (`orc_ftrace_find`), so the bytes are compared.
    Raises Unreadable when nothing is mapped at `ip`.
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
