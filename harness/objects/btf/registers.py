# SPDX-License-Identifier: MIT
"""The architecture that an object was compiled for, by the structures of registers among its types."""

from __future__ import annotations

from collections.abc import Iterator

from harness.objects.btf.reader import Btf
from harness.objects.btf.types import COMPOSITE
from harness.objects.reasons import Refused

_MARKS = {
    "pt_regs": (
        ("x86_64", frozenset({"r15", "di", "ip"})),
        ("x86_64", frozenset({"r15", "rdi", "rip"})),
        ("arm64", frozenset({"sp", "pc", "pstate"})),
        ("riscv64", frozenset({"epc", "ra", "sp"})),
    ),
    "user_pt_regs": (("arm64", frozenset({"regs", "pc", "pstate"})),),
    "user_regs_struct": (
        ("x86_64", frozenset({"r15", "di", "ip"})),
        ("riscv64", frozenset({"pc", "ra", "a0"})),
    ),
}
"""By the name of a structure, what only one architecture has in it: arch/ARCH/include/asm/ptrace.h and
arch/ARCH/include/uapi/asm/ptrace.h, arch/x86/include/asm/user_64.h (7.2). `rdi` is the name for programs of users."""
_DEEPEST = 4
"""Structures without a name within each other."""


def architecture(types: Btf | None) -> str:
    """Returns the architecture whose `struct pt_regs`, or what its programs take for it, is among the types; empty
    where none is, or those of several are."""
    if types is None:
        return ""
    try:
        found = set(_found(types))
    except Refused:  # told where the types are needed
        return ""
    return found.pop() if len(found) == 1 else ""


def _found(types: Btf) -> Iterator[str]:
    for name, marks in _MARKS.items():
        for number in types.named(name):
            if types.type(number).kind in COMPOSITE:
                members = set(_members(types, number))
                yield from (arch for arch, mark in marks if mark <= members)


def _members(types: Btf, number: int, depth: int = 0) -> Iterator[str]:
    """Yields the names of members, also of those in structures and unions without a name."""
    for member in types.type(number).members:
        if member.name:
            yield member.name
        elif depth < _DEEPEST:
            yield from _members(types, types.plain(member.type)[0], depth + 1)
