# SPDX-License-Identifier: MIT
"""Maps with a value for each CPU, since 4.6 (with eviction, 4.10): kernel/bpf/hashtab.c, arraymap.c, syscall.c.

Scripts begin on CPU 0, so that a program's value is the first one.
"""

from __future__ import annotations

from itertools import chain

from harness.abi.pt_regs import PtRegs
from harness.clauses.per_cpu.calls import calls_clauses
from harness.clauses.per_cpu.creation import creation_clauses
from harness.clauses.per_cpu.programs import programs_clauses
from harness.script.clause import Clause


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(creation_clauses(), calls_clauses(), programs_clauses()))
