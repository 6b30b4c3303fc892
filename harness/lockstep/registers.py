# SPDX-License-Identifier: MIT
"""The machine registers that hold a program's registers, by architecture and release, as data.

Numbers are gdb's (gdb's features/i386/64bit-core.xml and features/aarch64-core.xml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.release import Release, newest, release
from hil.errors import UserError

_X86_NUMBERED = (
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
    *("r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"),
)
GDB_NUMBERS: Mapping[str, Mapping[str, int]] = {
    "x86_64": {name: number for number, name in enumerate(_X86_NUMBERED)},
    "arm64": {**{f"x{number}": number for number in range(31)}, "fp": 29, "lr": 30, "sp": 31},
}
"""The numbers of general registers by name."""


@dataclass(frozen=True)
class JitRegisters:
    """The machine registers of R0 to R10 in code of a kernel's JIT compiler; `link` is where they are chosen. `private`
    is that of R10 in functions with a stack of their own for each CPU; empty where there is no other one."""

    names: tuple[str, ...]
    link: str
    private: str = ""


_X86 = "https://elixir.bootlin.com/linux/v4.1/source/arch/x86/net/bpf_jit_comp.c"
_ARM = "https://elixir.bootlin.com/linux/v{}/source/arch/arm64/net/bpf_jit_comp.c"

_X86_64 = ("rax", "rdi", "rsi", "rdx", "rcx", "r8", "rbx", "r13", "r14", "r15", "rbp")
_ARM64 = ("x0", "x1", "x2", "x3", "x4", "x19", "x20", "x21", "x22")
JIT: Mapping[str, Mapping[Release, JitRegisters]] = {
    "x86_64": {
        (4, 1): JitRegisters(_X86_64, _X86),
        # Programs of probes with more than 64 bytes of stack: 7d1cd70d4b16 (bpf, x86: Support private stack in jit).
        (6, 13): JitRegisters(_X86_64, _X86.replace("v4.1", "v6.13"), "r9"),
    },
    "arm64": {
        (4, 1): JitRegisters(("x7", *_ARM64, "x29"), _ARM.format("4.1")),
        # R10 has a register of its own since ec0738db8d32 (4.3).
        (4, 3): JitRegisters(("x7", *_ARM64, "x25"), _ARM.format("5.10")),
        (7, 0): JitRegisters(("x8", *_ARM64, "x25"), _ARM.format("7.0")),
    },
}
"""By architecture and the release that made it so."""


def register_names(arch: str) -> Mapping[int, str]:
    """Returns the names of general registers by gdb's numbers."""
    return {number: name for name, number in GDB_NUMBERS[arch].items()}


def jit_register_names(arch: str, era: str) -> tuple[str, ...]:
    """Returns the names of the registers that hold R0 to R10; raises UserError where nobody looked them up."""
    return _of(arch, era).names


def private_stack_register(arch: str, era: str) -> str:
    """Returns the name of the register that holds R10 in functions with a private stack; "" where there are none.
    Raises UserError where nobody looked it up."""
    return _of(arch, era).private


def jit_registers(arch: str, era: str) -> tuple[int, ...]:
    """Returns gdb's numbers of the registers that hold R0 to R10, and the address of a private stack where there may be
    one; raises UserError where nobody looked them up."""
    found = _of(arch, era)
    return tuple(GDB_NUMBERS[arch][name] for name in (*found.names, found.private) if name)


def _of(arch: str, era: str) -> JitRegisters:
    found = newest(JIT[arch], release(era)) if arch in JIT else None
    if found is None:
        raise UserError(
            f"it is not known which registers of {arch} the JIT of {era} uses",
            remedy="choose another lane, or add a row to harness/lockstep/registers.py",
        )
    return found
