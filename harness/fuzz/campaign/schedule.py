# SPDX-License-Identifier: MIT
"""Which range of cases is run next, and where."""

from __future__ import annotations

from bisect import insort
from collections import Counter, deque
from collections.abc import Iterable, Sequence

from harness.fuzz.campaign.plan import Place

AHEAD, FEW_AHEAD = 8, 4
"""How many ranges a machine of a place may be ahead of the last place, before it helps there, which takes as long as
half a range to begin; and the same where there are fewer machines than places, and it makes room for another one. What
was run ahead is lost with a kill, or when the time is up."""


class Schedule:
    """The ranges of every place. A range is through when all places are through with it."""

    def __init__(self, ranges: Iterable[range], places: Sequence[Place]) -> None:
        self._ranges = list(ranges)
        self._todo = {place: deque(range(len(self._ranges))) for place in places}
        self._missing = {index: len(places) for index in range(len(self._ranges))}
        self._running: Counter[Place] = Counter()

    def next(self, last: Place | None, machines: int = 1) -> tuple[Place, range] | None:
        """Returns the range that a machine runs next, which ran the place `last`; None when there is nothing to do
        before others are through. A place may have so many `machines` at once."""
        able = {place: todo[0] for place, todo in self._todo.items() if self.able(place, machines)}
        if not able:
            return None
        place = last if last in able else min(able, key=lambda one: (self._running[one], able[one]))
        assert place is not None
        index = self._todo[place].popleft()
        self._running[place] += 1
        return place, self._ranges[index]

    def able(self, place: Place | None, machines: int = 1) -> bool:
        """Returns whether there is something to do for a machine on this place now."""
        todo = self._todo[place] if place else None
        oldest = min(self._missing, default=0)
        ahead = AHEAD if machines >= len(self._todo) else FEW_AHEAD
        ahead += machines - 1  # each of them has a range that is under way
        return bool(place and todo and todo[0] <= oldest + ahead and self._running[place] < machines)

    @property
    def through(self) -> bool:
        """Returns whether every place is through with every range."""
        return not self._missing

    def done(self, place: Place, numbers: range) -> bool:
        """Notes that a place is through with a range; returns whether all are."""
        index = self._ranges.index(numbers)
        self._running[place] -= 1
        self._missing[index] -= 1
        if self._missing[index]:
            return False
        del self._missing[index]
        return True

    def again(self, place: Place, numbers: range) -> None:
        """Notes that a place has to run a range again."""
        self._running[place] -= 1
        insort(self._todo[place], self._ranges.index(numbers))
