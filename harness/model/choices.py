# SPDX-License-Identifier: MIT
"""Both ways on where a program compares what nobody knows: a script is predicted once for every way through.

What may come is then one of few outcomes, not anything: a kernel that gives another one is wrong whichever way it went.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from harness.model.unpredictable import Unpredictable
from harness.script.outcome import Either, Outcome, Prediction, Unpredicted

MOST = 16
"""So many ways are followed; a script with more of them is predicted without choices, and open where it makes them."""

T = TypeVar("T")


class Choices:
    """The results of comparisons that cannot be known, in the order they come up in one run of a script."""

    def __init__(self, given: Sequence[bool] = ()) -> None:
        """The first ones are `given`; further ones are false, so that no jump is taken."""
        self.made: list[bool] = []
        self.given = tuple(given)

    def choose(self, unpredictable: Unpredictable) -> bool:
        """The next one; `unpredictable` again when a run has too many."""
        if len(self.made) == MOST:
            raise unpredictable
        place = len(self.made)
        self.made.append(self.given[place] if place < len(self.given) else False)
        return self.made[-1]


def explore(run: Callable[[Choices | None], T]) -> list[T]:
    """What `run` gives for every way through; for none, with None, when there are too many."""
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
    """One prediction that admits what one of `predictions` admits, and nothing else."""
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
