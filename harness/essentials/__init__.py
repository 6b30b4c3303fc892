"""The main job's scripts: what a program on a kprobe is good for, each in a handful of operations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.abi.pt_regs import PtRegs, pt_regs
from harness.essentials import attaching, context, filtering, instructions, lifetime, maps, refusals
from harness.script.operations import Script

KNOWN = Path(__file__).parent / "known.toml"
"""Divergences of these scripts that are understood, see `harness.run.known`."""

_MODULES: tuple[Callable[[PtRegs], tuple[Script, ...]], ...] = (
    context.scripts,
    maps.scripts,
    filtering.scripts,
    attaching.scripts,
    lifetime.scripts,
    refusals.scripts,
    instructions.scripts,
)


def essentials(arch: str, era: str) -> tuple[Script, ...]:
    """Every essential script: programs read arguments where this architecture and era has them in `struct pt_regs`."""
    registers = pt_regs(arch, era)
    return tuple(script for module in _MODULES for script in module(registers))
