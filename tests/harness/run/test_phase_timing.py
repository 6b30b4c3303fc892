# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.run import phase_timing
from harness.run.phase_timing import PhaseClock, PhaseTime


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(phase_timing.time, "monotonic", lambda: self.now)

    def passes(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_a_phase_within_a_phase_counts_once(clock: Clock) -> None:
    made = PhaseClock()
    with made.on("machine", "other"):
        clock.passes(1)
        with made.on("machine", "boot"):
            clock.passes(5)
            with made.on("machine", "kernel"):
                clock.passes(2)
        clock.passes(1)
    assert made.spent == (
        PhaseTime("machine", "kernel", 2, 1),
        PhaseTime("machine", "boot", 5, 1),
        PhaseTime("machine", "other", 2, 1),
    )


def test_phases_add_up_by_place_and_count_their_times(clock: Clock) -> None:
    made = PhaseClock()
    for place, seconds in (("a", 1), ("b", 2), ("a", 3)):
        with made.on(place, "engine"):
            clock.passes(seconds)
    assert made.spent == (PhaseTime("a", "engine", 4, 2), PhaseTime("b", "engine", 2, 1))


def test_a_failing_phase_counts(clock: Clock) -> None:
    made = PhaseClock()
    with pytest.raises(KeyError), made.on("a", "outer"), made.on("a", "boot"):
        clock.passes(3)
        raise KeyError
    assert made.spent == (PhaseTime("a", "boot", 3, 1), PhaseTime("a", "outer", 0, 1))


def test_of_items_the_waiting_counts_and_not_what_is_done_with_them(clock: Clock) -> None:
    made = PhaseClock()

    def slow() -> Iterator[int]:
        for number in range(3):
            clock.passes(1)
            yield number

    for _ in made.each("a", "guest", slow()):
        clock.passes(10)
    ((spent),) = made.spent
    assert spent.seconds == 3
