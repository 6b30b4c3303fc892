# SPDX-License-Identifier: MIT
"""`struct pt_regs`, the context of a program on a kprobe, by architecture and release, as data.

x86_64: arch/x86/include/asm/ptrace.h, one layout from 4.1 to 7.2. arm64: arch/arm64/include/asm/ptrace.h; the fields
before `orig_x0` never moved, the bookkeeping behind them did. riscv64: arch/riscv/include/asm/ptrace.h, one layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.release import Release, newest, release
from hil.errors import UserError


@dataclass(frozen=True)
class PtRegs:
    """The context of a kprobe program, `struct pt_regs`: the offset in bytes of each register, of 64 bits, by its name,
    and which of them the C calling convention uses.

    At an entry probe the register `arguments[n]` holds the probed function's argument n, counted from 0; at a return
    probe `returns` holds the returned value, as `offsets[returns]` finds it. The field `ip` of an entry probe is the
    probe's address plus `ip_bias`.
    """

    size: int
    offsets: Mapping[str, int]
    arguments: tuple[str, ...]
    returns: str
    ip: str
    sp: str
    ip_bias: int

    def argument(self, index: int) -> int:
        """Returns the offset of the probed function's argument, counted from 0: `argument(1)` is the second one. Raises
        UserError for one that is in no register."""
        if not 0 <= index < len(self.arguments):
            raise UserError(
                f"no register holds argument {index} of a function",
                remedy=f"they are counted from 0; {', '.join(self.arguments)} hold 0 to {len(self.arguments) - 1}",
            )
        return self.offsets[self.arguments[index]]


_X86_64 = (
    *("r15", "r14", "r13", "r12", "bp", "bx", "r11", "r10", "r9", "r8", "ax", "cx", "dx", "si", "di"),
    *("orig_ax", "ip", "cs", "flags", "sp", "ss"),
)

X86_64 = PtRegs(
    size=168,
    offsets={name: 8 * index for index, name in enumerate(_X86_64)},
    arguments=("di", "si", "dx", "cx", "r8", "r9"),
    returns="ax",
    ip="ip",
    sp="sp",
    ip_bias=1,  # every kind of probe sets ip as an int3 does that has been executed
)

_ARM64 = {**{f"x{n}": 8 * n for n in range(31)}, "sp": 248, "pc": 256, "pstate": 264, "orig_x0": 272, "syscallno": 280}


def _arm64(size: int) -> PtRegs:
    return PtRegs(
        size=size,
        offsets=_ARM64,
        arguments=tuple(f"x{n}" for n in range(8)),
        returns="x0",
        ip="pc",
        sp="sp",
        ip_bias=0,  # BRK does not advance the program counter
    )


_RISCV64 = (
    *("epc", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", *(f"a{n}" for n in range(8))),
    *(*(f"s{n}" for n in range(2, 12)), "t3", "t4", "t5", "t6", "status", "badaddr", "cause", "orig_a0"),
)

RISCV64 = PtRegs(
    size=288,
    offsets={name: 8 * index for index, name in enumerate(_RISCV64)},
    arguments=tuple(f"a{n}" for n in range(8)),
    returns="a0",
    ip="epc",
    sp="sp",
    ip_bias=0,  # EBREAK does not advance the program counter
)

LAYOUTS: dict[str, dict[Release, PtRegs]] = {
    "x86_64": {(4, 1): X86_64},
    "arm64": {
        (4, 1): _arm64(304),  # orig_addr_limit, unused; no kprobes yet
        (5, 10): _arm64(336),  # grew stackframe, lockdep_hardirqs, exit_rcu
        (7, 2): _arm64(320),  # a frame record took the place of stackframe; the entry state moved out
    },
    "riscv64": {(4, 15): RISCV64},
}
"""Layouts by architecture, then by the release in which a layout was first seen."""


def pt_regs(architecture: str, era: str) -> PtRegs:
    """Returns the layout of one architecture in release `era`; raises UserError when there is none."""
    found = newest(LAYOUTS.get(architecture, {}), release(era))
    if found is None:
        raise UserError(
            f"no layout of struct pt_regs for {architecture} in era {era}",
            remedy="add one to harness/abi/pt_regs.py",
        )
    return found
