# SPDX-License-Identifier: MIT
"""A parser of /proc/kallsyms, the kernel's own symbol table: proc(5); the type letters are those of nm(1)."""

from __future__ import annotations

from collections.abc import Iterator

from hil.errors import BenchError
from hil.gdb.table import Symbol

# W and w are weak symbols whatever they are; in a kernel they are functions that an architecture may replace.
_FUNCTIONS = frozenset("tTwW")


def parse(text: str) -> Iterator[Symbol]:
    """Yield every symbol in the order of the file.

    Leaves out the mapping symbols of arm64 ($x, $d: where code and data begin; ELF for the Arm 64-bit Architecture,
    5.5.4), which it has before about Linux 5.2 for the kernel, and to this day for modules. Raises BenchError when the
    addresses are withheld, as they are from readers without CAP_SYSLOG and by kernel.kptr_restrict=2.
    """
    shown = False
    for line in text.splitlines():
        address, kind, name, *module = line.split()
        value = int(address, 16)
        shown = shown or value != 0
        if not name.startswith("$"):
            yield Symbol(name, value, kind in _FUNCTIONS, module[0].strip("[]") if module else None)
    if not shown:
        raise BenchError(
            "the guest's /proc/kallsyms shows no addresses", remedy="set its sysctl kernel.kptr_restrict to 0"
        )
