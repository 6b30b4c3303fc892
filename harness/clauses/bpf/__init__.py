# SPDX-License-Identifier: MIT
"""bpf(2) itself: its checks before any command, what each command ignores, and in which order; syscall.c."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.bpf.elements import elements_clauses
from harness.clauses.bpf.entry import entry_clauses, tails_clauses
from harness.clauses.bpf.loads import loads_clauses
from harness.script.clause import Clause


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return (*entry_clauses(), *tails_clauses(), *elements_clauses(), *loads_clauses())
