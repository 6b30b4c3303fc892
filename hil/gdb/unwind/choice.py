# SPDX-License-Identifier: MIT
"""Which way to unwind is right for a kernel, by how it was built."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hil.arch import entry
from hil.gdb.registers import register_file
from hil.gdb.table import SymbolTable
from hil.gdb.unwind.arm64 import Arm64
from hil.gdb.unwind.debugger import Debugger
from hil.gdb.unwind.frame_pointer import Convention, FramePointer
from hil.gdb.unwind.orc import Orc
from hil.gdb.unwind.riscv64 import Riscv64
from hil.gdb.unwind.stopped import Unwinder
from hil.gdb.unwind.x86_64 import X8664
from hil.kernels.kernel import Kernel


@dataclass(frozen=True)
class Facts:
    """What the choice depends on: `options` are the lines of the kernel's configuration."""

    kernel: Kernel
    options: frozenset[str]
    symbols: SymbolTable


@dataclass(frozen=True)
class Method:
    """A way to unwind, the kernels it is for, and why."""

    name: str
    why: str
    fits: Callable[[Facts], bool]
    make: Callable[[Facts], Unwinder]


@dataclass(frozen=True)
class Chains:
    """How the functions of an architecture link their frames, and the option without which its kernels do not."""

    convention: Convention
    option: str = ""

    def fits(self, options: frozenset[str]) -> bool:
        return not self.option or self.option in options


CHAINS: Mapping[str, Chains] = {
    # before ORC, where they are configured
    "x86_64": Chains(X8664(), "CONFIG_FRAME_POINTER=y"),
    # always; and its entry code, which debug information does not describe, links them too
    "arm64": Chains(Arm64()),
    # where they are configured, which is always: the option is on unless somebody turns it off
    "riscv64": Chains(Riscv64(), "CONFIG_FRAME_POINTER=y"),
}
"""By architecture."""


def chains(architecture: str) -> Chains:
    """Those of an architecture; UserError when they are not here."""
    return entry(CHAINS, architecture, "hil/gdb/unwind/choice.py")


def _frame_pointer(symbols: SymbolTable, architecture: str) -> Unwinder:
    return FramePointer(symbols, register_file(architecture), chains(architecture).convention)


METHODS = (
    Method(
        "ORC",
        "exact everywhere, entry code included, and such kernels have no frame pointers (x86_64 from 4.14)",
        lambda facts: "CONFIG_UNWINDER_ORC=y" in facts.options and Orc.possible(facts.symbols),
        lambda facts: Orc(facts.symbols, facts.kernel.version),
    ),
    Method(
        "frame pointers",
        "what kernels have that are built with them, or always on the architecture",
        lambda facts: chains(facts.kernel.arch.name).fits(facts.options),
        lambda facts: _frame_pointer(facts.symbols, facts.kernel.arch.name),
    ),
    Method(
        "gdb",
        "what is left; good with a vmlinux that has debug information",
        lambda facts: True,
        lambda facts: Debugger(facts.symbols),
    ),
)


def method(kernel: Kernel, symbols: SymbolTable) -> tuple[Method, Unwinder]:
    """The first method that fits, and the unwinder it makes."""
    facts = Facts(kernel, frozenset(kernel.config.read_text(errors="replace").splitlines()), symbols)
    chosen = next(row for row in METHODS if row.fits(facts))
    return chosen, chosen.make(facts)


def unwinder(kernel: Kernel, symbols: SymbolTable) -> Unwinder:
    """The right way to unwind `kernel`, whose names are `symbols`."""
    return method(kernel, symbols)[1]
