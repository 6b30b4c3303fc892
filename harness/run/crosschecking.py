# SPDX-License-Identifier: MIT
"""What becomes of a run's results when its lanes are held against each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from harness.compare import Verdict
from harness.crosscheck.comparing import Disagreement, Heard, compared
from harness.crosscheck.evidence import Evidence
from harness.lane import compact
from harness.run.known import KnownDivergence, excuse
from harness.run.results import ScriptResult
from harness.script.brief import brief

_FINE = (Verdict.AGREE, Verdict.UNSUPPORTED)
"""The verdicts that a disagreement replaces; whatever else was found stands, and the result is reported as that."""


def crosschecked(
    results: Iterable[ScriptResult], evidence: Iterable[Evidence], known: Mapping[str, Sequence[KnownDivergence]]
) -> Iterator[ScriptResult]:
    """Every result with the lanes that its unpredicted operations were held against, and those as disagreement whose
    lane is not with the majority; `known` are those of each lane that are understood. A script of which nothing is
    predicted agrees when other lanes say the same of all of it."""
    heard = compared(evidence)
    for result in results:
        found = heard.get((result.lane, result.script))
        yield excuse(_with(result, found), known[result.lane]) if found else result


def _with(result: ScriptResult, heard: Heard) -> ScriptResult:
    steps = tuple(replace(step, against=heard.against.get(step.index, ())) for step in result.unpredicted)
    held = sum(bool(step.against) for step in steps)
    result = replace(result, unpredicted=steps, judged=result.judged.by_lanes(held))
    found = heard.disagreement
    if result.verdict not in _FINE:
        return result
    if found is None:
        judged = result.verdict is Verdict.UNSUPPORTED and held == len(steps)
        return replace(result, verdict=Verdict.AGREE, reason="") if judged else result
    step = next(step for step in steps if step.index == found.index)
    told = replace(step, difference=found.lines)
    reason = f"operation {step.index}, {brief(step.operation)}: {_describe(found)}"
    return replace(result, verdict=Verdict.DISAGREE, reason=reason, operation=told)


def _describe(found: Disagreement) -> str:
    alone = f" ({found.alone} differs from the others)" if found.alone else ""
    who = f"it is predicted for {','.join(compact(found.foretold))} only" if found.foretold else "nobody predicts it"
    return f"{'; '.join(map(brief, found.lines))}; {who}{alone}"
