# SPDX-License-Identifier: MIT
"""Permissions: capabilities, file modes, and the settings and limits of callers without capabilities."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.permissions.commands import bpf_clauses, files_clauses, kinds_of_programs_clauses, settings_clauses
from harness.clauses.permissions.events import events_clauses
from harness.clauses.permissions.memory import memory_clauses
from harness.script.clause import Clause


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return (
        *bpf_clauses(),
        *kinds_of_programs_clauses(),
        *files_clauses(),
        *events_clauses(registers),
        *settings_clauses(),
        *memory_clauses(),
    )
