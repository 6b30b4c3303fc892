"""Which way to unwind is right for a kernel, by how it was built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hil.gdb.registers import REGISTERS
from hil.gdb.table import SymbolTable
from hil.gdb.unwind.arm64 import Arm64
from hil.gdb.unwind.debugger import Debugger
from hil.gdb.unwind.frame_pointer import FramePointer
from hil.gdb.unwind.orc import Orc
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


METHODS = (
    Method(
        "ORC",
        "exact everywhere, entry code included, and such kernels have no frame pointers (x86_64 from 4.14)",
        lambda facts: "CONFIG_UNWINDER_ORC=y" in facts.options and Orc.possible(facts.symbols),
        lambda facts: Orc(facts.symbols, facts.kernel.version),
    ),
    Method(
        "frame records",
        "arm64 kernels always have them, and its entry code, which debug information does not describe, links them too",
        lambda facts: facts.kernel.arch.name == "arm64",
        lambda facts: FramePointer(facts.symbols, REGISTERS["arm64"], Arm64()),
    ),
    Method(
        "frame pointers",
        "x86_64 kernels before ORC, where they are configured",
        lambda facts: facts.kernel.arch.name == "x86_64" and "CONFIG_FRAME_POINTER=y" in facts.options,
        lambda facts: FramePointer(facts.symbols, REGISTERS["x86_64"], X8664()),
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
