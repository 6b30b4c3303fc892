"""Holding observations against predictions, operation by operation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum

from harness.script.expectation import Expectation
from harness.script.operations import Operation, RunThreads, Script
from harness.script.outcome import (
    Addresses,
    Bytes,
    Either,
    OneOf,
    Outcome,
    Prediction,
    Record,
    Sample,
    Text,
    Unknown,
    Unpredicted,
    Value,
    Withheld,
)

Data = bytes | Bytes | OneOf | Addresses
Threads = tuple[tuple[Prediction, ...], ...]


class Verdict(StrEnum):
    """What a run says of one script on one lane."""

    AGREE = "agree"
    DIVERGE = "diverge"
    FLAKY = "flaky"
    KNOWN = "known-divergence"
    UNSUPPORTED = "unsupported"
    LOST = "lost"
    ERROR = "error"


class Blame(StrEnum):
    """Whose word stands alone where kernel, model and (if the script carries expectations) clause do not agree."""

    KERNEL = "kernel"
    MODEL = "model"
    CLAUSE = "clause"
    UNCLEAR = "unclear"

    @property
    def sentence(self) -> str:
        """Of three words on an operation, which one stands alone."""
        others = {"kernel": "clause and model", "model": "kernel and clause", "clause": "kernel and model"}
        return f"the {self} differs from {others[self]}" if self in others else "no two agree"


@dataclass(frozen=True)
class Divergence:
    """The first operation of a script of which not everybody says the same."""

    index: int
    operation: Operation
    prediction: Prediction
    observation: Outcome
    expectation: Expectation | None = None
    blame: Blame = Blame.UNCLEAR
    returned: Mapping[str, int] = field(default_factory=dict)
    """What the script's named operations had returned by then."""


@dataclass(frozen=True)
class Comparison:
    """Of one script: agreement, or the first divergence; and which operations the model had no rule for."""

    divergence: Divergence | None
    unpredicted: tuple[tuple[int, str], ...]

    @property
    def verdict(self) -> Verdict:
        return Verdict.DIVERGE if self.divergence else Verdict.AGREE


def compare(script: Script, predictions: Sequence[Prediction], observations: Sequence[Outcome]) -> Comparison:
    """Compare both executors' words on every operation of `script`; the sequences run parallel to its operations.

    Where the script carries an expectation, it is a third word, held against the other two.
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
    prediction: Prediction, observation: Outcome, expectation: Expectation | None, returned: Mapping[str, int]
) -> Blame | None:
    """Who differs; None when nobody does. With two words only, nobody can tell whose is wrong."""
    predicted = isinstance(prediction, Unpredicted) or admits(prediction, observation, returned)
    expected = expectation is None or expectation.admits(observation, returned)
    if predicted and expected:
        return None
    if expectation is None or isinstance(prediction, Unpredicted):
        return Blame.UNCLEAR
    if predicted:
        return Blame.CLAUSE
    if expected:
        return Blame.MODEL
    return Blame.KERNEL if expectation.allows(prediction, returned) else Blame.UNCLEAR


def _remember(operation: Operation, observation: Outcome, returned: dict[str, int]) -> None:
    """What named operations returned, those of threads, too."""
    name = getattr(operation, "name", None)
    if name is not None and isinstance(observation.value, int):
        returned[name] = observation.value
    if isinstance(operation, RunThreads):
        for thread, outcomes in zip(operation.threads, observation.threads or (), strict=False):
            for inner, outcome in zip(thread.operations, outcomes, strict=True):
                if isinstance(outcome, Outcome):
                    _remember(inner, outcome, returned)


def _reasons(prediction: Prediction) -> Iterator[str]:
    """Why what is not predicted is not."""
    match prediction:
        case Unpredicted(reason):
            yield reason
        case Either(outcomes):
            yield from dict.fromkeys(reason for outcome in outcomes for reason in _reasons(outcome))
        case Outcome():
            yield from (reason for thread in prediction.threads or () for inner in thread for reason in _reasons(inner))


def admits(prediction: Outcome | Either, observation: Outcome, returned: Mapping[str, int]) -> bool:
    """Whether the observation is what was predicted; the leaves that may go unpredicted are the log's text and the
    operations of threads."""
    if isinstance(prediction, Either):
        return any(admits(outcome, observation, returned) for outcome in prediction.outcomes)
    return (
        prediction.errno == observation.errno
        and _value_admits(prediction.value, observation.value, returned)
        and _data_admits(prediction.data, observation.data, returned)
        and _log_admits(prediction.log, observation.log)
        and _records_admit(prediction.records, observation.records, returned)
        and _threads_admit(prediction.threads, observation.threads, returned)
    )


def _value_admits(predicted: Value | None, observed: Value | None, returned: Mapping[str, int]) -> bool:
    if isinstance(predicted, Unknown):
        return isinstance(observed, int) and predicted.admits(observed, returned)
    return predicted == observed


def _data_admits(predicted: Data | None, observed: Data | None, returned: Mapping[str, int]) -> bool:
    if isinstance(predicted, Bytes | OneOf | Addresses):
        return isinstance(observed, bytes) and predicted.admits(observed, returned)
    return predicted == observed


def _log_admits(predicted: str | Text | Withheld | None, observed: str | Text | Withheld | None) -> bool:
    if predicted is None or isinstance(predicted, str | Withheld):
        return predicted in (None, observed)
    return isinstance(observed, str) and predicted.admits(observed)


def _records_admit(
    predicted: tuple[Record, ...] | None, observed: tuple[Record, ...] | None, returned: Mapping[str, int]
) -> bool:
    if predicted is None or observed is None:
        return predicted is observed
    if len(predicted) != len(observed):
        return False
    times = [record.time for record in observed if isinstance(record, Sample) and isinstance(record.time, int)]
    return times == sorted(times) and all(
        _record_admits(*pair, returned) for pair in zip(predicted, observed, strict=True)
    )


def _threads_admit(predicted: Threads | None, observed: Threads | None, returned: Mapping[str, int]) -> bool:
    if predicted is None or observed is None:
        return predicted is observed
    return [len(thread) for thread in predicted] == [len(thread) for thread in observed] and all(
        isinstance(said, Unpredicted) or (isinstance(seen, Outcome) and admits(said, seen, returned))
        for pair in zip(predicted, observed, strict=True)
        for said, seen in zip(*pair, strict=True)
    )


def _record_admits(predicted: Record, observed: Record, returned: Mapping[str, int]) -> bool:
    return type(predicted) is type(observed) and all(
        _leaf_admits(getattr(predicted, field.name), getattr(observed, field.name), returned)
        for field in fields(predicted)
    )


def _leaf_admits(
    predicted: Value | bytes | Bytes | None, observed: Value | bytes | Bytes | None, returned: Mapping[str, int]
) -> bool:
    match predicted, observed:
        case Unknown(), int():
            return predicted.admits(observed, returned)
        case Bytes(), bytes():
            return predicted.admits(observed, returned)
    return predicted == observed
