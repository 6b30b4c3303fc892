# SPDX-License-Identifier: MIT
"""Whether a lane has what a script needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from harness.lane import Engine
from harness.model.environment import Environment
from harness.model.rules import JitFault
from harness.script.needs import Need

_HAS: dict[Need, Callable[[Environment], bool]] = {
    Need.KPROBES: lambda lane: lane.kprobes,
    Need.ENTRY_PROBES: lambda lane: lane.rules.entry_probes,
    Need.JIT: lambda lane: lane.engine == Engine.JIT,
    Need.INTERPRETER: lambda lane: lane.engine == Engine.INTERP,
    Need.STACK: lambda lane: JitFault.STACK not in lane.faults,
    Need.DIVISOR: lambda lane: JitFault.DIVISOR not in lane.faults,
    Need.LOOKING_JIT: lambda lane: lane.engine == Engine.JIT and not lane.rules.jit_counts_empty_slots,
    Need.MIXING_JIT: lambda lane: lane.tail_calls_of_functions,
    Need.COUNTING_JIT: lambda lane: lane.engine == Engine.JIT and lane.rules.jit_counts_empty_slots,
    Need.TWO_CPUS: lambda lane: lane.cpus >= 2,
}


def unmet(needs: Iterable[Need], lane: Environment) -> str:
    """Returns what is missing, as text; empty when nothing is."""
    missing = sorted(need for need in needs if not _HAS[need](lane))
    return f"needs {' and '.join(missing)}, which this lane does not have" if missing else ""
