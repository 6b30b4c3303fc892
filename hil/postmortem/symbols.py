# SPDX-License-Identifier: MIT
"""The symbols of a guest that cannot be asked any more.

Kernels run at their linked addresses (nokaslr in images/boot.toml), and a guest root loads its modules in one order, so
another machine of the same kernel and guest root has the same symbols. It is started when a guest of that kind dies for
the first time; what it says is kept in the cache, and a machine that lives costs nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache as cached
from pathlib import Path

from hil import cache, directories
from hil.gdb import kallsyms
from hil.gdb.symbols import render
from hil.gdb.table import SymbolTable
from hil.machine import Machine, states
from hil.machine.spec import MachineSpec
from hil.target import read_file

_FORMAT = 1
_FILE = "symbols.elf"
_FOLDER = "symbols"


def kept(machine: Machine) -> SymbolTable | None:
    """Returns the symbols of a machine's kernel and modules where no other machine has to be asked; None otherwise."""
    file = machine.spec.kernel.vmlinux or _folder(machine.spec) / _FILE
    return _table(file) if file.exists() else None


def symbols(machine: Machine, notify: Callable[[str], None]) -> SymbolTable:
    """Returns the symbols of a machine's kernel and modules; raises BenchError when they cannot be had."""
    found = kept(machine)
    if found is not None:
        return found
    folder = _folder(machine.spec)
    if not folder.is_dir():
        with cache.locked(folder, notify=notify):
            if not folder.is_dir():
                notify("starting a machine like it for the kernel's symbols")
                with another(machine) as other:
                    read = read_file(other, "/proc/kallsyms").decode(errors="replace")
                with cache.replaced(folder) as new:
                    (new / _FILE).write_bytes(render(machine.arch, tuple(kallsyms.parse(read))))
    return _table(folder / _FILE)


@cached
def _table(file: Path) -> SymbolTable:
    return SymbolTable.of_elf(file)


def _folder(spec: MachineSpec) -> Path:
    parts = _FORMAT, spec.kernel.provenance["sha256"]["image"], spec.root.contents.sha256
    digest = hashlib.sha256(repr(parts).encode()).hexdigest()
    return directories.cache() / _FOLDER / f"{spec.kernel.name}-{spec.kernel.arch}-{digest[:16]}"


@contextmanager
def another(machine: Machine) -> Iterator[Machine]:
    """Starts another machine of the kind, restored where that is possible, which ends at the latest with this one."""
    spec = replace(machine.spec, folder=machine.spec.folder / _FOLDER, plugin="")
    if spec.state is None and states.wanted() and not spec.kernel.arch.always_booted:
        spec = replace(spec, state=states.find(spec))
    other = Machine(spec)
    machine.on_loss(other.stop)
    with other:
        yield other
