# SPDX-License-Identifier: MIT
"""Which machine runs which range: they stay with a kernel, help the slowest one, and make room."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.fuzz.campaign.plan import Campaign
from harness.fuzz.campaign.running import run
from harness.fuzz.campaign.schedule import AHEAD, FEW_AHEAD, Schedule
from harness.fuzz.campaign.totals import Totals
from tests.harness.fuzz.campaign.fakes import PLACES, campaign, slow_at_the_second_place


def schedule(count: int) -> tuple[Schedule, Campaign]:
    one = campaign(8 * count)
    return Schedule(one.ranges(), one.places), one


def test_a_machine_stays_on_its_place_until_others_lag() -> None:
    ranges, _ = schedule(20)
    for number in range(FEW_AHEAD + 1):
        assert ranges.next(PLACES[0]) == (PLACES[0], range(8 * number, 8 * number + 8))
        assert not ranges.done(PLACES[0], range(8 * number, 8 * number + 8))
    assert ranges.next(PLACES[0]) == (PLACES[1], range(8))


def test_a_place_has_one_machine_unless_there_are_more_of_them() -> None:
    ranges, _ = schedule(2)
    assert [given[0] for _ in range(3) if (given := ranges.next(None))] == list(PLACES)
    assert ranges.next(None) is None
    assert ranges.next(None, 2) == (PLACES[0], range(8, 16))


@pytest.mark.parametrize("machines", [2, 5, 20])
def test_as_many_machines_as_there_are_have_something_to_do(machines: int) -> None:
    """Though one range lasts longer than all others, and there is one place."""
    one = campaign(8 * 100, places=PLACES[:1])
    ranges = Schedule(one.ranges(), one.places)
    given = [ranges.next(PLACES[0], machines) for _ in range(machines)]
    assert None not in given
    ends = [busy for busy in given[1:] if busy]
    while ends:
        ranges.done(*ends.pop())
        ends += [more] if (more := ranges.next(PLACES[0], machines)) else []
    assert ranges.next(PLACES[0], machines) is None, "what waits for the first one grows without end"
    assert ranges.done(PLACES[0], range(8))
    assert ranges.next(PLACES[0], machines) == (PLACES[0], range(8 * (AHEAD + machines), 8 * (AHEAD + machines + 1)))


def test_a_machine_that_is_ahead_helps_the_place_that_lags() -> None:
    one = campaign(8 * 30, places=PLACES[:2])
    ranges = Schedule(one.ranges(), one.places)
    assert ranges.next(PLACES[1], 2) == (PLACES[1], range(8))
    while (given := ranges.next(PLACES[0], 2)) and given[0] == PLACES[0]:
        ranges.done(*given)
    assert given == (PLACES[1], range(8, 16))


def test_all_machines_work_for_the_slowest_place(tmp_path: Path) -> None:
    one = campaign(8 * 30, places=PLACES[:2])
    one.write(tmp_path)
    totals = Totals(one.lanes)
    run(one, tmp_path, 2, lambda _: None, totals=totals, work=slow_at_the_second_place)
    assert totals.cases == one.cases
    assert len(list(tmp_path.glob("process-*"))) == 2


def test_what_was_lost_by_many_machines_is_run_by_one() -> None:
    """In whatever order they are lost, and though one may not be as far ahead as many."""
    one = campaign(8 * 20, places=PLACES[:1])
    ranges = Schedule(one.ranges(), one.places)
    given = [some for _ in range(12) if (some := ranges.next(PLACES[0], 12))]
    assert len(given) == 12
    for some in given:
        ranges.again(*some)
    for numbers in one.ranges():
        assert ranges.next(PLACES[0]) == (PLACES[0], numbers)
        assert ranges.done(PLACES[0], numbers)
    assert ranges.through


def test_what_was_lost_is_run_again_first() -> None:
    ranges, _ = schedule(2)
    ranges.next(PLACES[0])
    ranges.again(PLACES[0], range(8))
    assert ranges.next(PLACES[0]) == (PLACES[0], range(8))
