# SPDX-License-Identifier: MIT
"""The time of a run: seconds and counts by place and phase."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class PhaseTime:
    """The time of one phase in one place, a machine (`debian-12/arm64`) or a lane: wall-clock seconds, and how
    often."""

    place: str
    phase: str
    seconds: float
    times: int


class PhaseClock:
    """A clock for one thread. A phase within a phase is taken out of the outer one, so that nothing counts twice."""

    def __init__(self) -> None:
        self._seconds: dict[tuple[str, str], float] = {}
        self._times: dict[tuple[str, str], int] = {}
        self._under_way: list[float] = []
        """Of each phase that was entered, the outermost first: seconds that phases inside it took."""

    @contextmanager
    def on(self, place: object, phase: str) -> Iterator[None]:
        """Count what happens inside."""
        key = str(place), phase
        self._under_way.append(0.0)
        started = time.monotonic()
        try:
            yield
        finally:
            took = time.monotonic() - started
            inside = self._under_way.pop()
            if self._under_way:
                self._under_way[-1] += took
            self._seconds[key] = self._seconds.get(key, 0.0) + took - inside
            self._times[key] = self._times.get(key, 0) + 1

    def each(self, place: object, phase: str, items: Iterable[T]) -> Iterator[T]:
        """The items; what is counted is waiting for them."""
        waiting = iter(items)
        while True:
            with self.on(place, phase):
                try:
                    item = next(waiting)
                except StopIteration:
                    return
            yield item

    @property
    def spent(self) -> tuple[PhaseTime, ...]:
        """Returns the times so far, in the order phases were first left."""
        return tuple(
            PhaseTime(place, phase, round(seconds, 3), self._times[place, phase])
            for (place, phase), seconds in self._seconds.items()
        )
