# SPDX-License-Identifier: MIT
"""Where a program is attached, by the name of its section, on one kernel."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.objects.kernel_facts import KernelFacts
from harness.objects.sections import Meaning
from harness.script.checks import SYMBOL, TRACEPOINT

_PREFIXES = {"x86_64": ("__x64_sys_", (4, 17)), "arm64": ("__arm64_sys_", (4, 19)), "riscv64": ("__riscv_sys_", (6, 6))}
"""What is in front of a system call's name since that release: ARCH_SYSCALL_PREFIX of libbpf."""
_SYSTEM_CALL = re.compile(r"^(?:__(?:x64|arm64|riscv)_sys_|SyS_|sys_)(?=\w)")
ATTACHED = {
    **dict.fromkeys(("kprobe", "kretprobe"), "kprobe/FUNCTION"),
    **dict.fromkeys(("ksyscall", "kretsyscall"), "ksyscall/CALL"),
    **dict.fromkeys(("tracepoint", "tp"), "tracepoint/GROUP/NAME"),
    **dict.fromkeys(("raw_tracepoint", "raw_tp"), "raw_tracepoint/NAME"),
    "socket": "socket",
}
"""The mechanisms by which the bench attaches, each with the name of a section that says where."""
_OFFSETS = range(1 << 63)
_KPROBES = {"kprobe": "kprobe", "kretprobe": "kretprobe", "ksyscall": "kprobe", "kretsyscall": "kretprobe"}


@dataclass(frozen=True)
class Place:
    """`kind` is how it is attached, `target` the function or the tracepoint, `offset` in bytes into the function."""

    kind: str
    target: str
    offset: int = 0


def place(said: Meaning, kernel: KernelFacts) -> Place | None:
    """Returns where a program of that meaning is attached; None where the bench has no operation for it, or the name
    of the section leaves it open, as `kprobe/skb-1` does: its loader chooses the functions."""
    mechanism = said.mechanism
    if mechanism in ("ksyscall", "kretsyscall"):
        return Place(_KPROBES[mechanism], system_call_symbol(said.target, kernel)) if said.target else None
    if mechanism in _KPROBES and said.target:
        symbol, _, offset = said.target.partition("+")
        try:
            at = int(offset or "0", 0)
        except ValueError:
            return None
        return Place(_KPROBES[mechanism], symbol, at) if SYMBOL.fullmatch(symbol) and at in _OFFSETS else None
    if mechanism in ("tracepoint", "tp") and TRACEPOINT.fullmatch(said.target):
        return Place("tracepoint", said.target)
    if mechanism in ("raw_tracepoint", "raw_tp") and said.target:
        return Place("raw_tracepoint", said.target)
    return Place("socket", "") if mechanism == "socket" else None


def system_call_symbol(call: str, kernel: KernelFacts) -> str:
    """Returns the function that a system call begins with on this kernel: `__x64_sys_openat`. Before the wrappers,
    SyS_openat is the same place as sys_openat, which all releases have."""
    prefix, since = _PREFIXES.get(kernel.arch, ("sys_", (0, 0)))
    return f"{prefix if kernel.release >= since else 'sys_'}{call}"


def portable(symbol: str, kernel: KernelFacts) -> str:
    """Returns the symbol by which this kernel has the system call that a section names as another kernel has it;
    other symbols as they are."""
    found = _SYSTEM_CALL.match(symbol)
    return system_call_symbol(symbol[found.end() :], kernel) if found else symbol
