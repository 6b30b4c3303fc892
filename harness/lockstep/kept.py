# SPDX-License-Identifier: MIT
"""What lockstep looks for in a kernel's code, kept in the cache: kernels run at their linked addresses
(`hil.machine.spec.NO_KASLR`), so that it depends on the kernel alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from harness.lockstep.dispatch import Dispatch
from harness.lockstep.inside import INTERPRETERS
from harness.lockstep.loads import COMPILER, FREE
from hil import cache, directories
from hil.gdb.symbols import symbol_file
from hil.gdb.table import Symbol, SymbolTable
from hil.kernels.kernel import Kernel
from hil.machine import Machine

TEXT = "_stext", "_etext"
"""The begin and the end of the kernel's own code, include/asm-generic/sections.h."""
_NAMES = frozenset((*INTERPRETERS, *TEXT, COMPILER, FREE))
_FORMAT = 1
"""Part of the names of cached files: increment it when what is looked for, or how, is another."""
_FILE = "lockstep.json"


def symbols(kernel: Kernel, machine: Machine, notify: Callable[[str], None]) -> SymbolTable:
    """Returns the symbols that lockstep needs, as far as the kernel has them; errors as `symbol_file`."""

    def read() -> list[tuple[Any, ...]]:
        table = SymbolTable.of_elf(symbol_file(kernel, machine, notify=notify))
        return [astuple(one) for one in table.symbols if one.name in _NAMES and one.module is None]

    return SymbolTable(Symbol(*one) for one in _kept(kernel, "symbols", read))


def dispatch(kernel: Kernel, find: Callable[[], Dispatch]) -> Dispatch:
    """Returns the interpreter's dispatch, which `find` finds in a running kernel; errors as it."""
    labels, *others = _kept(kernel, "dispatch", lambda: astuple(find()))
    return Dispatch(tuple(labels), *others)


def _kept(kernel: Kernel, what: str, make: Callable[[], Any]) -> Any:
    """Returns what `make` returned for this kernel when it was first called, as JSON has it. Where the cache cannot be
    used it is called each time."""
    digest = hashlib.sha256(repr((_FORMAT, what, kernel.provenance["sha256"]["image"])).encode()).hexdigest()
    folder = directories.cache() / "symbols" / f"{kernel.name}-{kernel.arch}-{digest[:16]}"

    def fill(new: Path) -> None:
        (new / _FILE).write_text(json.dumps(make()))

    try:
        cache.ensure(folder, fill)
        return json.loads((folder / _FILE).read_text())
    except cache.Unusable:
        return make()
