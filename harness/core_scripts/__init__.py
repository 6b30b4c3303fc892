# SPDX-License-Identifier: MIT
"""The main job's scripts: what a program on a kprobe is good for, each in a handful of operations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from harness.abi.pt_regs import PtRegs, pt_regs
from harness.core_scripts import attaching, context, filtering, instructions, lifetime, maps, refusals
from harness.script.clause import KPROBES, Clause, probes_an_entry
from harness.script.needs import Need
from harness.script.operations import CreateKprobe, LoadProgram, ProgramType, Script

KNOWN = Path(__file__).parent / "known.toml"
"""Divergences of these scripts that are understood, see `harness.run.known`."""

_MODULES: tuple[Callable[[PtRegs], tuple[Script | Clause, ...]], ...] = (
    context.scripts,
    maps.scripts,
    filtering.scripts,
    attaching.scripts,
    lifetime.scripts,
    refusals.scripts,
    instructions.scripts,
)


def core_scripts(arch: str, era: str) -> tuple[Script, ...]:
    """Every core script: programs read arguments where this architecture and era has them in `struct pt_regs`.

    Where something is to fail, a script is written as a clause, which says so.
    """
    registers = pt_regs(arch, era)
    made = (one for module in _MODULES for one in module(registers))
    return tuple(_honest(one.script(era) if isinstance(one, Clause) else one) for one in made)


def _honest(script: Script) -> Script:
    """Where there are no kprobes, or none on entries, a script about them shows nothing: all of it fails, as the model
    foretells."""
    about = any(
        isinstance(one, CreateKprobe) or (isinstance(one, LoadProgram) and one.type is ProgramType.KPROBE)
        for one in script.operations
    )
    entries = {Need.ENTRY_PROBES} if any(map(probes_an_entry, script.operations)) else frozenset()
    return replace(script, needs=script.needs | KPROBES | entries) if about else script
