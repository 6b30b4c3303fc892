# SPDX-License-Identifier: MIT
"""Program arrays and tail calls, since 4.2: kernel/bpf/arraymap.c, core.c, verifier.c."""

from __future__ import annotations

from itertools import chain

from harness.abi.pt_regs import PtRegs
from harness.clauses.program_array.slots import calls_clauses, creation_clauses, types_clauses
from harness.clauses.program_array.tail_calls import kprobes_clauses, runs_clauses, verifier_clauses
from harness.script.clause import Clause


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return tuple(
        chain(
            creation_clauses(),
            calls_clauses(),
            types_clauses(),
            verifier_clauses(),
            runs_clauses(),
            kprobes_clauses(registers),
        )
    )
