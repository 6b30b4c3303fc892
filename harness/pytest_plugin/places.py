# SPDX-License-Identifier: MIT
"""Places of the kernel that a test names and that the kernel does not have: functions and tracepoints."""

from __future__ import annotations

from collections.abc import Iterable

from harness.check import symbols, tracepoints
from harness.lowering.executor import Observed
from harness.pytest_plugin.failures import ProbeFailed
from harness.script.brief import brief
from harness.script.operations import CreateKprobe, FindTracepoint
from harness.script.text import describe, describe_outcome
from hil.errors import MachineLost
from hil.nearest import meant
from hil.target import Target


def not_there(target: Target, seen: Observed, unexpected: Iterable[int]) -> ProbeFailed | None:
    """Returns the failure for the first operation, of those that failed unexpectedly, that names a function or a
    tracepoint and did not get it; None when there is none."""
    for index in unexpected:
        operation = seen.script.operations[index]
        if isinstance(operation, CreateKprobe | FindTracepoint):
            said = f"operation {index}, {brief(describe(operation))}: {describe_outcome(seen.outcomes[index])}"
            try:
                near = _near(target, operation)
            except MachineLost:
                near = ""
            name, errno = type(operation).__name__, seen.outcomes[index].errno
            return ProbeFailed(
                f"{said}, so that nothing is attached there{near}; where the test is about that, state it: "
                f'`expect(op.{name}(...), "{errno}")`'
            )
    return None


def _near(target: Target, operation: CreateKprobe | FindTracepoint) -> str:
    """What the running kernel has in the place of the name, as the rest of a sentence; empty where it has the name
    itself, and refuses a probe on it."""
    if isinstance(operation, CreateKprobe):
        found = symbols.find(target, [operation.symbol])[operation.symbol]
        if found.same:
            return ": the kernel has the function, and takes no such probe on it"
        return f": the kernel has no function {operation.symbol}" + (
            f", but {', '.join(found.near)}" if found.near else ""
        )
    question = meant(operation.tracepoint, tracepoints.listed(target))
    return f": the kernel has no tracepoint {operation.tracepoint}" + (f"; {question}" if question else "")
