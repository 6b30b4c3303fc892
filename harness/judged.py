# SPDX-License-Identifier: MIT
"""Counts of the operations of scripts that model and expectations predict, and operations that failed unexpectedly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from operator import add, attrgetter

from harness.counting import counted
from harness.script.operations import Operation, RunThreads, Script, Trigger
from harness.script.outcome import Anything, Either, Outcome, Prediction, Unpredicted
from harness.script.triggers import TRIGGERS


@dataclass(frozen=True)
class Judged:
    """The numbers of operations that both the model and an expectation (a clause's, or an `expect`) predict, or one of
    them; that neither predicts, but other lanes of the run were compared on; and that were not judged at all."""

    both: int = 0
    model: int = 0
    clause: int = 0
    none: int = 0
    lanes: int = 0

    def __add__(self, other: Judged) -> Judged:
        return Judged(*map(add, _counts(self), _counts(other)))

    @property
    def total(self) -> int:
        """Returns the number of all operations."""
        return sum(_counts(self))

    def by_lanes(self, count: int) -> Judged:
        """Returns the counts after `count` of the unjudged operations were compared with other lanes."""
        return replace(self, none=self.none - count, lanes=self.lanes + count)

    def __bool__(self) -> bool:
        return self != NOTHING

    def __str__(self) -> str:
        one = self.model + self.clause
        said = (
            f"judged by model and expectation {self.both}, by one of them {one}, by other lanes alone {self.lanes}, "
            f"by none {self.none}"
        )
        return f"{counted(self.total, 'operation')}: {said}"


_counts: Callable[[Judged], tuple[int, ...]] = attrgetter(*(one.name for one in fields(Judged)))
NOTHING = Judged()


def judged(script: Script, predictions: Sequence[Prediction]) -> Judged:
    """Counts the operations that `predictions`, which may be fewer, are for."""
    count = NOTHING
    for prediction, expectation in zip(predictions, _expected(script), strict=False):
        match predicted(prediction), expectation is not None:
            case True, True:
                count += Judged(both=1)
            case True, False:
                count += Judged(model=1)
            case False, True:
                count += Judged(clause=1)
            case _:
                count += Judged(none=1)
    return count


def predicted(prediction: Prediction) -> bool:
    """Returns whether the model predicts all of it, including the operations of threads."""
    match prediction:
        case Unpredicted() | Anything():
            return False
        case Either(outcomes):
            return all(map(predicted, outcomes))
    return all(predicted(inner) for thread in prediction.each_thread for inner in thread)


def unexpected(script: Script, outcomes: Sequence[Outcome]) -> Iterator[tuple[int, Operation, Outcome]]:
    """Yields every operation that failed unexpectedly, also inside threads, with the index of the script's own
    operation.

    A prediction of the model is no expectation: a script that loads a program wants it loaded, unless it expects
    otherwise. A trigger that always fails is expected to. Of threads with expectations, what is left open is left open
    on purpose, since it may depend on their order.
    """
    for index, (operation, outcome, expectation) in enumerate(
        zip(script.operations, outcomes, _expected(script), strict=False)
    ):
        yield from ((index, inner, said) for inner, said in _unexpected(operation, outcome, expectation))


def _unexpected(
    operation: Operation, outcome: Prediction, expectation: Outcome | None
) -> Iterator[tuple[Operation, Outcome]]:
    if not isinstance(outcome, Outcome):
        return
    if outcome.errno and expectation is None and not _meant(operation, outcome.errno):
        yield operation, outcome
    if isinstance(operation, RunThreads) and not (expectation and expectation.each_thread):
        for thread, said in zip(operation.threads, outcome.each_thread, strict=False):
            for inner, its in zip(thread.operations, said, strict=True):
                yield from _unexpected(inner, its, None)


def _meant(operation: Operation, errno: str) -> bool:
    return isinstance(operation, Trigger) and TRIGGERS[operation.trigger].errno == errno


def _expected(script: Script) -> Sequence[Outcome | None]:
    return script.expected or (None,) * len(script.operations)
