# SPDX-License-Identifier: MIT
"""The conformance clauses: what the interface must do, statement by statement, under stable names.

A module is a section of the interface. A clause lists what later kernels do otherwise; where in the kernel each comes
from is in sections.toml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from harness.abi.pt_regs import PtRegs, pt_regs
from harness.clauses import (
    arithmetic,
    attach,
    bpf,
    concurrency,
    detach,
    event_array,
    execution,
    functions,
    isa,
    kprobe_events,
    later_opcodes,
    load,
    lru,
    many_programs,
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
    task_helpers,
    tasks,
    tracepoints,
    updates,
    verifier,
)
from harness.clauses.sections import Section, sections
from harness.model.eras import era as rules_of
from harness.script.clause import Clause
from hil.kernels.distributions import Distribution, of_catalogue

_SECTIONS: Mapping[str, Callable[[PtRegs], tuple[Clause, ...]]] = {
    "bpf": bpf.clauses,
    "maps": maps.clauses,
    "map_flags": map_flags.clauses,
    "updates": updates.clauses,
    "per_cpu": per_cpu.clauses,
    "lru": lru.clauses,
    "program_array": program_array.clauses,
    "functions": functions.clauses,
    "load": load.clauses,
    "kprobe_events": kprobe_events.clauses,
    "perf_event_open": perf_event_open.clauses,
    "attach": attach.clauses,
    "tracepoints": tracepoints.clauses,
    "isa": isa.clauses,
    "verifier": verifier.clauses,
    "arithmetic": arithmetic.clauses,
    "later_opcodes": later_opcodes.clauses,
    "registers": registers.clauses,
    "execution": execution.clauses,
    "reading": reading.clauses,
    "task_helpers": task_helpers.clauses,
    "printing": printing.clauses,
    "ring": ring.clauses,
    "ring_buffer": ring_buffer.clauses,
    "records": records.clauses,
    "event_array": event_array.clauses,
    "stack_trace": stack_trace.clauses,
    "detach": detach.clauses,
    "tasks": tasks.clauses,
    "permissions": permissions.clauses,
    "concurrency": concurrency.clauses,
    "many_programs": many_programs.clauses,
}


def clauses(arch: str, era: str, whose: Distribution | None = None) -> tuple[Clause, ...]:
    """Returns every clause that holds on this architecture in this era, for kernels of a distribution; None for those
    that the catalogue has."""
    return tuple(clause for _, found in by_section(arch, era, whose) for clause in found)


def by_section(arch: str, era: str, whose: Distribution | None = None) -> Sequence[tuple[Section, tuple[Clause, ...]]]:
    """Returns the same, section by section; a clause that names no source has its section's."""
    return _by_section(arch, era, (whose or of_catalogue(era)).of_release(rules_of(era, arch).settings))


@cache
def _by_section(arch: str, era: str, whose: Distribution) -> Sequence[tuple[Section, tuple[Clause, ...]]]:
    layout, facts = pt_regs(arch, era), whose.facts
    return [
        (
            section,
            tuple(
                replace(clause, source=clause.source or section.source(clause.id, era))
                for clause in _SECTIONS[name](layout)
                if clause.holds(era) and clause.concerns(facts)
            ),
        )
        for name, section in sections().items()
    ]
