# SPDX-License-Identifier: MIT
"""Maps of type PERF_EVENT_ARRAY, since 4.3, and the samples programs write through them.

kernel/bpf/arraymap.c; kernel/trace/bpf_trace.c: bpf_perf_event_output(), bpf_perf_event_read().
"""

from __future__ import annotations

from itertools import chain

from harness.abi.pt_regs import PtRegs
from harness.clauses.event_array.events import events_clauses, reading_clauses
from harness.clauses.event_array.output import output_clauses
from harness.clauses.event_array.slots import before_clauses, lifetime_clauses, map_clauses, verifier_clauses
from harness.script.clause import Clause


def clauses(layout: PtRegs) -> tuple[Clause, ...]:
    return tuple(
        chain(
            before_clauses(),
            map_clauses(),
            events_clauses(),
            output_clauses(layout),
            lifetime_clauses(layout),
            reading_clauses(layout),
            verifier_clauses(),
        )
    )
