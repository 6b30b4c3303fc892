# SPDX-License-Identifier: MIT
"""Parts that clauses about two CPUs share: threads, bursts of hits, and bounds of a counter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.core_scripts.parts import (
    read_u64,
    u32,
    u64,
)
from harness.script.clause import FIRST, Clause, Said, Step, expect
from harness.script.expectation import Expectation
from harness.script.needs import Need
from harness.script.operations import (
    Operation,
    Ref,
    RunThreads,
    Thread,
    UpdateElement,
)

TWO_CPUS = frozenset({Need.KPROBES, Need.TWO_CPUS})
MANY = 120
"""The hits of a burst: enough for CPUs to meet, and so few that two bursts are counted within one byte, which no reader
can see half of."""
HITS = Ref("hits")
NOTHING_SAID: Mapping[str, Said] = {}


def together(*threads: Iterable[Operation | Step]) -> Step:
    """Runs the threads on CPU 0, 1 and so on; the expectations of their operations are for 4.1 and all later
    releases."""
    steps = [[step if isinstance(step, Step) else Step(step, NOTHING_SAID) for step in thread] for thread in threads]
    operation = RunThreads(
        tuple(Thread(cpu, tuple(step.operation for step in thread)) for cpu, thread in enumerate(steps))
    )
    said = tuple(tuple(step.expected(FIRST) for step in thread) for thread in steps)
    return expect(operation, Expectation(value=0, threads=said))


def between(least: int, most: int, key: int = 0) -> Step:
    """Expects the counter to be between two numbers."""
    return expect(read_u64("hits", key), Expectation(value=0, data=range(least, most + 1)))


def reset() -> Step:
    return expect(UpdateElement(HITS, u32(0), u64(0)), 0)


def clause(id: str, sentence: str, *steps: Operation | Step, **facts: Any) -> Clause:
    return Clause(id, sentence, steps, TWO_CPUS, **facts)
