# SPDX-License-Identifier: MIT
"""Programs that the kernel or the model refused: of these there is nothing to compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.lowering.executor import Observed
from harness.script.operations import LoadProgram
from harness.script.outcome import Outcome, Prediction


def refusals(seen: Observed, reasons: Mapping[int, str], predictions: Sequence[Prediction]) -> Iterator[str]:
    """Yields what became of each program that was refused, and whether kernel and model agree; `reasons` are the
    verifier's last words, by the numbers of the operations."""
    every = zip(seen.script.operations, seen.outcomes, predictions, strict=False)
    for number, (load, outcome, predicted) in enumerate(every):
        if not isinstance(load, LoadProgram):
            continue
        expected = predicted.errno if isinstance(predicted, Outcome) else None
        if outcome.errno is None and expected is not None:
            yield f"the kernel loads the program {load.name}, where the model predicts {expected}"
        if outcome.errno is None:
            continue
        words = reasons.get(number)
        said = f"; the verifier's last words: {words}" if words else ""
        yield f"the kernel refused the program {load.name} with {outcome.errno}{_agrees(outcome, predicted)}{said}"


def _agrees(outcome: Outcome, predicted: Prediction) -> str:
    if not isinstance(predicted, Outcome):
        return ""
    if predicted.errno is None:
        return ", where the model loads it"
    if predicted.errno == outcome.errno:
        return ", as the model predicts"
    return f", where the model predicts {predicted.errno}"
