# SPDX-License-Identifier: MIT
"""The core scripts of `hil run`: the uses of programs on kprobes, each in a few operations."""

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
    """Returns every core script; programs read arguments at their offsets in this architecture's and era's `struct
    pt_regs`.

    Where an operation is expected to fail, the script is written as a clause.
    """
    registers = pt_regs(arch, era)
    made = (one for module in _MODULES for one in module(registers))
    return tuple(_where_probes_fail(one.script(era) if isinstance(one, Clause) else one) for one in made)


def _where_probes_fail(script: Script) -> Script:
    """Replaces a script about probes where there are no kprobes, or none on entries: all of it fails, as the model
    predicts."""
    about = any(
        isinstance(one, CreateKprobe) or (isinstance(one, LoadProgram) and one.type is ProgramType.KPROBE)
        for one in script.operations
    )
    entries = {Need.ENTRY_PROBES} if any(map(probes_an_entry, script.operations)) else frozenset()
    return replace(script, needs=script.needs | KPROBES | entries) if about else script
