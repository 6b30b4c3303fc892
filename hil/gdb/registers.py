# SPDX-License-Identifier: MIT
"""The general registers of each architecture by gdb's names, and their roles."""

from __future__ import annotations

from dataclasses import dataclass

from hil.arch import entry


@dataclass(frozen=True)
class RegisterFile:
    """The registers of one architecture; `general` is in the order to print. `arguments` hold the arguments of a C
    function at its first instruction; `link` its return address there, None where a call pushes it; `result` what it
    returns."""

    general: tuple[str, ...]
    pc: str
    sp: str
    fp: str
    link: str | None
    arguments: tuple[str, ...]
    result: str


REGISTERS = {
    # System V Application Binary Interface, AMD64 Architecture Processor Supplement, 3.2
    "x86_64": RegisterFile(
        general=(
            *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp"),
            *(f"r{number}" for number in range(8, 16)),
            *("rip", "eflags"),
        ),
        pc="rip",
        sp="rsp",
        fp="rbp",
        link=None,
        arguments=("rdi", "rsi", "rdx", "rcx", "r8", "r9"),
        result="rax",
    ),
    # Procedure Call Standard for the Arm 64-bit Architecture (AAPCS64), 6.1
    "arm64": RegisterFile(
        general=(*(f"x{number}" for number in range(31)), "sp", "pc", "cpsr"),
        pc="pc",
        sp="sp",
        fp="x29",
        link="x30",
        arguments=tuple(f"x{number}" for number in range(8)),
        result="x0",
    ),
    # RISC-V ELF psABI, Register Convention; gdb calls s0 fp
    "riscv64": RegisterFile(
        general=(
            *("ra", "sp", "gp", "tp", "t0", "t1", "t2", "fp", "s1", *(f"a{number}" for number in range(8))),
            *(*(f"s{number}" for number in range(2, 12)), "t3", "t4", "t5", "t6", "pc"),
        ),
        pc="pc",
        sp="sp",
        fp="fp",
        link="ra",
        arguments=tuple(f"a{number}" for number in range(8)),
        result="a0",
    ),
}


def register_file(architecture: str) -> RegisterFile:
    """The registers of an architecture; raises UserError when this file has none for it."""
    return entry(REGISTERS, architecture, "hil/gdb/registers.py")
