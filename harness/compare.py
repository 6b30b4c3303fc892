# SPDX-License-Identifier: MIT
"""Comparing observations with predictions, operation by operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from harness.script.matching import admits
from harness.script.operations import Operation, RunThreads, Script
from harness.script.outcome import Either, Outcome, Prediction, Unpredicted


class Verdict(StrEnum):
    """The verdict of a run on one script on one lane."""

    AGREE = "agree"
    DIVERGE = "diverge"
    DISAGREE = "disagree"
    FLAKY = "flaky"
    KNOWN = "known-divergence"
    UNSUPPORTED = "unsupported"
    LOST = "lost"
    ERROR = "error"


class Blame(StrEnum):
    """The one that differs from the others where kernel, model and (if the script carries them, as that of a clause)
    expectations do not agree."""

    KERNEL = "kernel"
    MODEL = "model"
    CLAUSE = "clause"
    UNCLEAR = "unclear"

    def sentence(self, third: str = "expectation") -> str:
        """Returns the sentence that says which of the three differs; `third` is what carries the expectations."""
        others = {"kernel": f"{third} and model", "model": f"kernel and {third}", "clause": "kernel and model"}
        name = third if self is Blame.CLAUSE else self
        return f"the {name} differs from {others[self]}" if self in others else "no two agree"


@dataclass(frozen=True)
class Divergence:
    """The first operation of a script on which not all outcomes agree."""

    index: int
    operation: Operation
    prediction: Prediction
    observation: Outcome
    expectation: Outcome | None = None
    blame: Blame = Blame.UNCLEAR
    returned: Mapping[str, int] = field(default_factory=dict)
    """The values that the script's named operations had returned by then."""


@dataclass(frozen=True)
class Comparison:
    """The comparison of one script: agreement, or the first divergence; and the operations for which the model had no
    rule."""

    divergence: Divergence | None
    unpredicted: tuple[tuple[int, str], ...]

    @property
    def verdict(self) -> Verdict:
        return Verdict.DIVERGE if self.divergence else Verdict.AGREE


def compare(script: Script, predictions: Sequence[Prediction], observations: Sequence[Outcome]) -> Comparison:
    """Compares the outcomes of both executors for every operation of `script`; the sequences run parallel to its
    operations.

    Where the script carries an expectation, it is a third outcome, compared with the other two.
    """
    returned: dict[str, int] = {}
    unpredicted: list[tuple[int, str]] = []
    expected = script.expected or (None,) * len(script.operations)
    for index, (operation, prediction, observation, expectation) in enumerate(
        zip(script.operations, predictions, observations, expected, strict=True)
    ):
        _remember(operation, observation, returned)
        unpredicted += ((index, reason) for reason in _reasons(prediction))
        if blame := _blame(prediction, observation, expectation, returned):
            divergence = Divergence(index, operation, prediction, observation, expectation, blame, returned)
            return Comparison(divergence, tuple(unpredicted))
    return Comparison(None, tuple(unpredicted))


def _blame(
    prediction: Prediction, observation: Outcome, expectation: Outcome | None, returned: Mapping[str, int]
) -> Blame | None:
    """Returns which one differs; None when none does. With two outcomes only, nobody can tell which is wrong; a model
    that leaves open what the other two differ in is no third."""
    predicted = admits(prediction, observation, returned)
    expected = expectation is None or admits(expectation, observation, returned)
    if predicted and expected:
        return None
    if expectation is None or isinstance(prediction, Unpredicted):
        return Blame.UNCLEAR
    if predicted:
        return Blame.UNCLEAR if admits(expectation, prediction, returned) else Blame.CLAUSE
    if expected:
        return Blame.MODEL
    return Blame.KERNEL if admits(expectation, prediction, returned) else Blame.UNCLEAR


def _remember(operation: Operation, observation: Outcome, returned: dict[str, int]) -> None:
    """Records what named operations returned, those of threads, too."""
    name = getattr(operation, "name", None)
    if name is not None and isinstance(observation.value, int):
        returned[name] = observation.value
    if isinstance(operation, RunThreads):
        for thread, outcomes in zip(operation.threads, observation.each_thread, strict=False):
            for inner, outcome in zip(thread.operations, outcomes, strict=True):
                if isinstance(outcome, Outcome):
                    _remember(inner, outcome, returned)


def _reasons(prediction: Prediction) -> Iterator[str]:
    """Yields why operations were not predicted."""
    match prediction:
        case Unpredicted(reason):
            yield reason
        case Either(outcomes):
            yield from dict.fromkeys(reason for outcome in outcomes for reason in _reasons(outcome))
        case Outcome():
            yield from (reason for thread in prediction.each_thread for inner in thread for reason in _reasons(inner))
