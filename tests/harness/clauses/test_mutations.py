# SPDX-License-Identifier: MIT
"""The model contradicts no clause, and every clause can fail: whichever of kernel, model and clause is altered, the
comparison turns red and names it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

import pytest

from harness.compare import Blame, Verdict, compare
from harness.model.executor import ModelExecutor
from harness.script.expectation import Expectation
from harness.script.matching import admits
from harness.script.operations import Script
from harness.script.outcome import Lost, Outcome, Prediction, Unpredicted
from harness.script.text import describe_outcome
from tests.harness.clauses.lanes import LANES, scripts
from tests.harness.clauses.observing import observe


def altered(expectation: Outcome) -> Outcome:
    """Something else."""
    if expectation.errno is not None:
        return replace(expectation, errno="EXDEV")
    if isinstance(expectation.data, bytes):
        return replace(expectation, data=bytes(255 - byte for byte in expectation.data))
    if isinstance(expectation.records, tuple):
        return replace(expectation, records=(*expectation.records, Lost(1)))
    if isinstance(expectation.value, range):
        return replace(expectation, value=range(expectation.value.stop, expectation.value.stop + 1))
    if isinstance(expectation.value, int):
        return replace(expectation, value=expectation.value + 1)
    return Expectation(errno="EXDEV")


def wrong(outcome: Outcome) -> Outcome:
    return Outcome(value=0) if outcome.errno is not None else Outcome(errno="EXDEV")


def put(things: Sequence[object], index: int, thing: object) -> list[object]:
    return [*things[:index], thing, *things[index + 1 :]]


def expecting(script: Script, index: int, expectation: Outcome) -> Script:
    """The script, except for one expectation; its operations, the same, are not checked again."""
    other = copy(script)
    object.__setattr__(other, "expected", tuple(put(script.expected, index, expectation)))
    return other


def verdict(script: Script, predictions: Sequence[object], observations: Sequence[object]) -> tuple[Verdict, object]:
    said = compare(script, predictions, observations)  # type: ignore[arg-type]
    return said.verdict, (said.divergence.index, said.divergence.blame) if said.divergence else None


Predicted = list[tuple[Script, list[Prediction]]]


@pytest.fixture(scope="module", params=LANES)
def predicted(request: pytest.FixtureRequest) -> Predicted:
    """The scripts of a lane, and what the model predicts for each."""
    model = ModelExecutor(request.param)
    return [(script, model.run(script)) for script in scripts(request.param)]


def test_every_clause_expects_something_and_the_model_does_not_contradict_it(predicted: Predicted) -> None:
    wrong = []
    for script, predictions in predicted:
        assert any(script.expected), f"{script.name} expects nothing"
        for prediction, expectation in zip(predictions, script.expected, strict=True):
            if expectation is None:
                continue
            if not admits(expectation, prediction, {}):
                said, other = map(describe_outcome, (expectation, prediction))
                wrong.append(f"{script.name}: expected {said}, predicted {other}")
    assert not wrong, "\n".join(wrong)


def test_whoever_is_altered_is_found_and_named(predicted: Predicted) -> None:
    checked = 0
    for script, predictions in predicted:
        seen = observe(script, predictions)
        assert verdict(script, predictions, seen) == (Verdict.AGREE, None), script.name
        for index, expectation in enumerate(script.expected):
            if expectation is None:
                continue
            where = f"{script.name}, operation {index}"
            alone = isinstance(predictions[index], Unpredicted)
            clause, kernel = (Blame.UNCLEAR, Blame.UNCLEAR) if alone else (Blame.CLAUSE, Blame.KERNEL)
            other = altered(expectation)
            if not alone and admits(other, predictions[index], {}):
                clause = Blame.UNCLEAR  # The model leaves open which of the two is right.
            mutated = expecting(script, index, other)
            assert verdict(mutated, predictions, seen) == (Verdict.DIVERGE, (index, clause)), where
            strange = put(seen, index, wrong(seen[index]))
            assert verdict(script, predictions, strange) == (Verdict.DIVERGE, (index, kernel)), where
            if not alone:
                broken = put(predictions, index, wrong(seen[index]))
                assert verdict(script, broken, seen) == (Verdict.DIVERGE, (index, Blame.MODEL)), where
            checked += 1
    assert checked > 100
