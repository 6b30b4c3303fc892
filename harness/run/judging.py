# SPDX-License-Identifier: MIT
"""The verdict on one script: the guest's outcomes, compared with the model's predictions and with expectations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.compare import Comparison, Verdict, compare
from harness.difference import difference
from harness.judged import judged, unexpected
from harness.lane import Lane
from harness.lowering.executor import Missed, Observed
from harness.model.executor import ModelExecutor
from harness.run.results import OperationReport, ScriptResult
from harness.script.brief import brief
from harness.script.dependence import depends_on
from harness.script.operations import Fork, RunSocketFilter, RunThreads, Script, Trigger
from harness.script.outcome import Outcome, Prediction, Unpredicted
from harness.script.text import describe, describe_outcome


def judge(lane: Lane, seen: Observed | Missed, model: ModelExecutor) -> ScriptResult:
    """Returns the verdict on one script; the model is asked for its predictions."""
    return verdict(lane, seen, predict(model, seen))


def predict(model: ModelExecutor, seen: Observed | Missed) -> list[Prediction]:
    """Returns the model's predictions; under the kernel's verdict on programs where the model has none."""
    return model.run(seen.script, wanted(seen), seen.outcomes if isinstance(seen, Observed) else ())


def wanted(seen: Observed | Missed) -> int | None:
    """Before which operation predictions are wanted; None for all. The one that a script was lost at may be one that
    never ends, in the model no more than in the guest; where it is not known, that is the first trigger at the
    earliest."""
    if isinstance(seen, Observed):
        return None
    if seen.operation is not None:
        return seen.operation
    operations = seen.script.operations
    for kinds in ((Trigger, RunThreads), (Fork, RunSocketFilter)):  # children and packets reach probes and filters, too
        if found := [index for index, one in enumerate(operations) if isinstance(one, kinds)]:
            return found[0]
    return 0


def verdict(
    lane: Lane, seen: Observed | Missed, predictions: Sequence[Prediction], third: str = "clause"
) -> ScriptResult:
    """The verdict on one script whose predictions are there already; `third` is what carries its expectations. What was
    missed, with predictions for what came before, is lost, but where the model knows a fault that the kernel may have
    died of."""
    script = seen.script
    if isinstance(seen, Missed):
        lost = ScriptResult(str(lane), script.name, Verdict.LOST, seen.reason, _missed(seen))
        fault = _deadly(predictions)
        return replace(lost, verdict=Verdict.KNOWN, reason=f"{fault}; {seen.reason}") if fault else lost
    comparison = compare(script, predictions, seen.outcomes)
    end = comparison.divergence.index + 1 if comparison.divergence else len(predictions)
    result = ScriptResult(
        str(lane),
        script.name,
        comparison.verdict,
        unpredicted=tuple(_unpredicted(script, comparison, predictions, seen.outcomes)),
        seconds=seen.seconds,
        unexpected=tuple(
            OperationReport(index, describe(operation), describe_outcome(predictions[index]), describe_outcome(outcome))
            for index, operation, outcome in unexpected(script, seen.outcomes[:end])
        ),
        judged=judged(script, predictions[:end]),
    )
    indices = {index for index, _ in comparison.unpredicted}
    if not comparison.divergence and len(indices) == len(predictions) and not any(script.expected):
        _, why = comparison.unpredicted[0]
        return replace(result, verdict=Verdict.UNSUPPORTED, reason=f"nothing of it is predicted: {why}")
    if found := comparison.divergence:
        report = OperationReport(
            found.index,
            describe(found.operation),
            describe_outcome(found.prediction),
            describe_outcome(found.observation),
            _expected(found.expectation),
            difference(found),
            depends_on(script, found.index),
        )
        return replace(result, reason=_reason(report, found.blame.sentence(third)), operation=report, blame=found.blame)
    return result


def _reason(report: OperationReport, alone: str) -> str:
    """Returns the reason on one line: long values are shortened, not what differs."""
    said = f"predicted {brief(report.prediction)}; saw {brief(report.observation)}"
    if report.expectation:
        said = f"expected {brief(report.expectation)}; {said} ({alone})"
    return "; ".join((f"operation {report.index}, {brief(report.operation)}: {said}", *report.difference))


def _deadly(predictions: Sequence[Prediction]) -> str:
    """Returns the fault that was known to possibly crash the kernel; empty when there is none."""
    return next((one.reason for one in predictions if isinstance(one, Unpredicted) and one.deadly), "")


def _missed(seen: Missed) -> OperationReport | None:
    if seen.operation is None:
        return None
    return OperationReport(
        seen.operation,
        describe(seen.script.operations[seen.operation]),
        "",
        "(none)",
        depends_on=depends_on(seen.script, seen.operation),
    )


def _unpredicted(
    script: Script, comparison: Comparison, predictions: Sequence[Prediction], outcomes: Sequence[Outcome]
) -> Iterator[OperationReport]:
    for index in dict.fromkeys(index for index, _ in comparison.unpredicted):
        operation = describe(script.operations[index])
        yield OperationReport(
            index,
            operation,
            describe_outcome(predictions[index]),
            describe_outcome(outcomes[index]),
            _expected(script.expected[index]) if script.expected else "",
        )


def _expected(expectation: Outcome | None) -> str:
    return "" if expectation is None else describe_outcome(expectation)
