# SPDX-License-Identifier: MIT
"""Slower, and not merely on a slower host."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from harness.regress.side import whole
from harness.regress.timing import slower
from harness.run.results import RunReport
from harness.run.rounds import summed
from tests.harness.reports import LANES, report, result


def timed(times: Sequence[Sequence[float]]) -> RunReport:
    """A lane's run with so many scripts, each with its repeats' seconds."""
    return report(
        *summed(result(LANES[0], f"script-{n}", seconds=one) for n, repeats in enumerate(times) for one in repeats),
        lanes=LANES[:1],
    )


def noisy(factor: float = 1.0, seed: int = 0, noise: float = 0.1) -> list[list[float]]:
    chance = random.Random(seed)
    return [[(0.1 + 0.02 * n) * factor * chance.lognormvariate(0, noise)] for n in range(20)]


def found(before: Sequence[Sequence[float]], after: Sequence[Sequence[float]]) -> list[str]:
    return [change.script for change in slower(whole(timed(before)), whole(timed(after)))]


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("seed", range(1, 6))
def test_noise_and_the_host_are_not_told(factor: float, seed: int) -> None:
    assert found(noisy(), noisy(factor, seed)) == []


@pytest.mark.parametrize("factor", [0.3, 1.0, 4.0])
def test_a_script_that_became_slower_is_told_on_any_host(factor: float) -> None:
    after = noisy(factor, seed=1)
    after[7] = [after[7][0] * 5]
    assert found(noisy(), after) == ["script-7"]


def test_the_noisier_the_lane_the_more_it_takes() -> None:
    after = noisy(seed=1, noise=0.5)
    after[7] = [noisy()[7][0] * 3]
    assert found(noisy(), after) == []


def test_milliseconds_are_not_told() -> None:
    before = [[0.004]] * 20
    assert found(before, [*before[:-1], [0.03]]) == []


def test_one_slow_repeat_of_three_is_not_told() -> None:
    before = [[0.2, 0.2, 0.2]] * 20
    assert found(before, [*before[:-1], [0.2, 9.0, 0.2]]) == []
    assert found(before, [*before[:-1], [9.0, 9.0, 0.2]]) == ["script-19"]


def test_a_few_scripts_tell_nothing() -> None:
    before = [[0.2]] * 7
    assert found(before, [*before[:-1], [9.0]]) == []
