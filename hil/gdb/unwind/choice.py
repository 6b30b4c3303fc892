# SPDX-License-Identifier: MIT
"""Chooses the method to unwind a kernel by its configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hil.arch import entry
from hil.gdb.registers import register_file
from hil.gdb.unwind.arm64 import Arm64
from hil.gdb.unwind.debugger import Debugger
from hil.gdb.unwind.frame_pointer import Convention, FramePointer
from hil.gdb.unwind.orc import Orc
from hil.gdb.unwind.riscv64 import Riscv64
from hil.gdb.unwind.stopped import Symbols, Unwinder
from hil.gdb.unwind.x86_64 import X8664

if TYPE_CHECKING:
    from hil.kernels.kernel import Kernel  # which needs what gdb's own Python has not


@dataclass(frozen=True)
class Facts:
    """The facts that the choice depends on: the architecture by name, the version ("6.1.192"), the lines of the
    kernel's configuration."""

    arch: str
    version: str
    options: frozenset[str]
    symbols: Symbols

    @classmethod
    def of(cls, arch: str, version: str, config: Path, symbols: Symbols) -> Facts:
        """The facts of a kernel with a configuration in a file."""
        return cls(arch, version, frozenset(config.read_text(errors="replace").splitlines()), symbols)


@dataclass(frozen=True)
class Method:
    """A method to unwind, the kernels that it fits, and why."""

    name: str
    why: str
    fits: Callable[[Facts], bool]
    make: Callable[[Facts], Unwinder]


@dataclass(frozen=True)
class Chains:
    """How the functions of an architecture link their frames, and the option that this requires (empty for none)."""

    convention: Convention
    option: str = ""

    def fits(self, options: frozenset[str]) -> bool:
        return not self.option or self.option in options


CHAINS: Mapping[str, Chains] = {
    # before ORC, where configured
    "x86_64": Chains(X8664(), "CONFIG_FRAME_POINTER=y"),
    # always; and its entry code, which debug information does not describe, links them too
    "arm64": Chains(Arm64()),
    # where configured, which is the default
    "riscv64": Chains(Riscv64(), "CONFIG_FRAME_POINTER=y"),
}
"""The chain of frames by architecture."""


def chains(architecture: str) -> Chains:
    """The chain of frames of an architecture; raises UserError when this file has none for it."""
    return entry(CHAINS, architecture, "hil/gdb/unwind/choice.py")


def _frame_pointer(symbols: Symbols, architecture: str) -> Unwinder:
    return FramePointer(symbols, register_file(architecture), chains(architecture).convention)


METHODS = (
    Method(
        "ORC",
        "exact everywhere, entry code included, and such kernels have no frame pointers (x86_64 from 4.14)",
        lambda facts: "CONFIG_UNWINDER_ORC=y" in facts.options and Orc.possible(facts.symbols),
        lambda facts: Orc(facts.symbols, facts.version),
    ),
    Method(
        "frame pointers",
        "for kernels that are built with them, which some architectures always are",
        lambda facts: chains(facts.arch).fits(facts.options),
        lambda facts: _frame_pointer(facts.symbols, facts.arch),
    ),
    Method(
        "gdb",
        "for all other kernels; good with a vmlinux that has debug information",
        lambda facts: True,
        lambda facts: Debugger(facts.symbols),
    ),
)


def method(facts: Facts) -> Method:
    """The first method that fits a kernel."""
    return next(row for row in METHODS if row.fits(facts))


def unwinder(kernel: Kernel, symbols: Symbols) -> Unwinder:
    """The unwinder for `kernel`, whose symbols are `symbols`."""
    facts = Facts.of(kernel.arch.name, kernel.version, kernel.config, symbols)
    return method(facts).make(facts)
