"""The conformance clauses: what the interface must do, statement by statement, under stable names.

A module is a section of the interface. Names such as ATTACH-03 are those of the project's notes on Linux 4.1; a clause
lists what later kernels do otherwise.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.abi.pt_regs import PtRegs, pt_regs
from harness.clauses import (
    arithmetic,
    attach,
    bpf,
    concurrency,
    crowds,
    detach,
    event_array,
    execution,
    isa,
    kprobe_events,
    later_opcodes,
    load,
    lru,
    map_flags,
    maps,
    per_cpu,
    perf_event_open,
    permissions,
    printing,
    program_array,
    reading,
    records,
    registers,
    ring,
    ring_buffer,
    stack_trace,
    tasks,
    told,
    updates,
    verifier,
)
from harness.script.clause import Clause

_SECTIONS: tuple[Callable[[PtRegs], tuple[Clause, ...]], ...] = (
    bpf.clauses,
    maps.clauses,
    map_flags.clauses,
    updates.clauses,
    per_cpu.clauses,
    lru.clauses,
    program_array.clauses,
    load.clauses,
    kprobe_events.clauses,
    perf_event_open.clauses,
    attach.clauses,
    isa.clauses,
    verifier.clauses,
    arithmetic.clauses,
    later_opcodes.clauses,
    registers.clauses,
    execution.clauses,
    reading.clauses,
    told.clauses,
    printing.clauses,
    ring.clauses,
    ring_buffer.clauses,
    records.clauses,
    event_array.clauses,
    stack_trace.clauses,
    detach.clauses,
    tasks.clauses,
    permissions.clauses,
    concurrency.clauses,
    crowds.clauses,
)


def clauses(arch: str, era: str) -> tuple[Clause, ...]:
    """Every clause that holds on this architecture in this era."""
    layout = pt_regs(arch, era)
    return tuple(clause for section in _SECTIONS for clause in section(layout) if clause.holds(era))
