# SPDX-License-Identifier: MIT
"""Several CPUs: programs that run at the same time, and operations on them while they run.

What depends on timing is expected between bounds; what does not, exactly.
"""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.concurrency.attaching import attaching_clauses
from harness.clauses.concurrency.counting import counting_clauses
from harness.clauses.concurrency.events import events_clauses, output_clauses
from harness.clauses.concurrency.maps import maps_clauses
from harness.script.clause import Clause


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return (
        *counting_clauses(registers),
        *attaching_clauses(registers),
        *maps_clauses(registers),
        *events_clauses(registers),
        *output_clauses(registers),
    )
