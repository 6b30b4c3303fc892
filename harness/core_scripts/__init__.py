# SPDX-License-Identifier: MIT
"""The core scripts of `hil run`: the uses of programs on kprobes, each in a few operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
    return tuple(each_script(arch, era))


def each_script(arch: str, era: str) -> Iterator[Script]:
    """Yields them one by one, as they are made: who looks for one of them need not wait for all."""
    registers = pt_regs(arch, era)
    for module in _MODULES:
        for one in module(registers):
            yield _where_probes_fail(one.script(era) if isinstance(one, Clause) else one)


def _where_probes_fail(script: Script) -> Script:
    """Replaces a script about probes where there are no kprobes, or none on entries: all of it fails, as the model
    predicts."""
    about = any(
        isinstance(one, CreateKprobe) or (isinstance(one, LoadProgram) and one.type is ProgramType.KPROBE)
        for one in script.operations
    )
    entries = {Need.ENTRY_PROBES} if any(map(probes_an_entry, script.operations)) else frozenset()
    return replace(script, needs=script.needs | KPROBES | entries) if about else script
