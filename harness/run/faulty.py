# SPDX-License-Identifier: MIT
"""Divergences that are known only if a kernel with the error would give what was seen: the model computes it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.compare import Verdict, compare
from harness.lane import Lane
from harness.lowering.executor import Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.rules import FunctionFault
from harness.run.judging import judge, predict
from harness.run.known import KnownDivergence, excuse, excused
from harness.run.results import ScriptResult


def excuse_faulty(
    result: ScriptResult, seen: Observed | Missed, environment: Environment, known: Sequence[KnownDivergence]
) -> ScriptResult:
    """Returns the result as known when the model, taken to have the errors of entries that cover it, contradicts
    nothing of what was seen: one of them, or all at once."""
    if result.verdict is not Verdict.DIVERGE or isinstance(seen, Missed):
        return result
    for entries in _together([one for one in known if one.fault and one.covers(result)]):
        faults = frozenset(FunctionFault[one.fault] for one in entries)
        model = ModelExecutor(replace(environment, faults_of_functions=faults))
        if not compare(seen.script, predict(model, seen), seen.outcomes).divergence:
            return excused(result, entries[0])
    return result


def judge_knowing(
    lane: Lane, seen: Observed | Missed, model: ModelExecutor, known: Sequence[KnownDivergence]
) -> ScriptResult:
    """Returns the verdict on one script, which is known where one of these entries covers it."""
    return excuse(excuse_faulty(judge(lane, seen, model), seen, model.environment, known), known)


def _together(entries: Sequence[KnownDivergence]) -> Iterator[Sequence[KnownDivergence]]:
    yield from ([one] for one in entries)
    if len(entries) > 1:
        yield entries
