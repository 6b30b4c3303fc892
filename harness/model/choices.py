# SPDX-License-Identifier: MIT
"""Comparisons with an unknown result: a script is predicted once for each way through them.

The prediction is then one of a few outcomes instead of any outcome: a kernel that gives another one is wrong whichever
way it took.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from harness.model.unpredictable import Unpredictable
from harness.script.outcome import Either, Outcome, Prediction, Unpredicted

MOST = 16
"""The highest number of ways that are followed; a script with more is predicted without choices, and is unpredicted
where it makes them."""

T = TypeVar("T")


class Choices:
    """The results of comparisons that cannot be known, in the order in which one run of a script makes them."""

    def __init__(self, given: Sequence[bool] = ()) -> None:
        """Takes the first results from `given`; all further ones are false, so that no jump is taken."""
        self.made: list[bool] = []
        self.given = tuple(given)

    def choose(self, unpredictable: Unpredictable) -> bool:
        """Returns the next result; raises `unpredictable` again when a run makes too many comparisons."""
        if len(self.made) == MOST:
            raise unpredictable
        place = len(self.made)
        self.made.append(self.given[place] if place < len(self.given) else False)
        return self.made[-1]


def explore(run: Callable[[Choices | None], T]) -> list[T]:
    """Returns the result of `run` for every way through; when there are too many, its only result without choices
    (None)."""
    results: list[T] = []
    waiting: list[tuple[bool, ...]] = [()]
    while waiting:
        given = waiting.pop()
        choices = Choices(given)
        results.append(run(choices))
        made = choices.made
        waiting.extend((*made[:place], not made[place]) for place in range(len(given), len(made)))
        if len(results) + len(waiting) > MOST:
            return [run(None)]
    return results


def either(predictions: Sequence[Prediction]) -> Prediction:
    """Returns one prediction that admits what any of `predictions` admits, and nothing else."""
    if len(predictions) == 1 and isinstance(predictions[0], Outcome):
        return predictions[0]
    if unpredicted := [one for one in predictions if isinstance(one, Unpredicted)]:
        return next((one for one in unpredicted if one.deadly), unpredicted[0])
    outcomes: list[Outcome] = []
    for prediction in predictions:
        match prediction:
            case Either(some):
                outcomes.extend(one for one in some if one not in outcomes)
            case Outcome() if prediction not in outcomes:
                outcomes.append(prediction)
    return outcomes[0] if len(outcomes) == 1 else Either(tuple(outcomes))
