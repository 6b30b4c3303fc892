# SPDX-License-Identifier: MIT
"""Reads `info registers -a` of QEMU's monitor, which has the registers of every CPU without a debugger.

The names are those of x86_cpu_dump_state(), aarch64_cpu_dump_state() and riscv_cpu_dump_state() of QEMU's target/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hil.gdb.registers import register_file

_CPU = re.compile(r"^CPU#(\d+)", re.MULTILINE)
# "RAX=ffffffff80000000", "X00=...", " x1/ra    ..." and, for arm64, "PSTATE=60000005".
_ASSIGNED = re.compile(r"\b([A-Z][A-Z0-9]{0,7})\s*=\s*([0-9a-f]{8,16})\b")
_NAMED = re.compile(r"(?:\bx\d+/(\w+)|^\s*(pc))\s+([0-9a-f]{16})\b", re.MULTILINE)
_ALSO = {"rfl": "eflags", "pstate": "cpsr", "s0": "fp"}
"""QEMU's names of registers, in small letters, that gdb calls otherwise."""


def parse(text: str, architecture: str) -> Mapping[int, Mapping[str, int]]:
    """Returns the general registers of each CPU by its number, by gdb's names and in its order; those that the text
    does not have are left out."""
    order = register_file(architecture).general
    found = {}
    parts = _CPU.split(text)
    for number, body in zip(parts[1::2], parts[2::2], strict=True):
        values: dict[str, int] = {}
        for name, value in _ASSIGNED.findall(body):
            values.setdefault(_name(name), int(value, 16))
        for name, counter, value in _NAMED.findall(body):
            values.setdefault(_name(name or counter), int(value, 16))
        found[int(number)] = {name: values[name] for name in order if name in values}
    return found


def _name(name: str) -> str:
    """Returns gdb's name: RAX is rax, R8 r8, X05 x5."""
    plain = re.sub(r"^([A-Za-z])0(\d)$", r"\1\2", name).lower()
    return _ALSO.get(plain, plain)
