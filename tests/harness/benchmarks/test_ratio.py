# SPDX-License-Identifier: MIT
import os

from harness.benchmarks import ratio
from harness.benchmarks.ratio import Ratio


def test_the_median_of_pairs_is_not_the_ratio_of_medians() -> None:
    """A host that slows down in the middle changes both of a pair."""
    made = Ratio("r", "s", measured=(2.0, 20.0, 6.0), baseline=(1.0, 10.0, 2.0), goal="")
    assert made.pairs == (2.0, 2.0, 3.0)
    assert made.median == 2.0


def test_seconds_are_those_of_the_action() -> None:
    done: list[int] = []
    assert 0 <= ratio.seconds(lambda: done.append(1)) < 60
    assert done == [1]


def test_seconds_of_the_cpu_are_those_of_the_process() -> None:
    used = os.times()
    now = ratio.cpu_seconds(os.getpid())
    assert used.user + used.system - 0.03 <= now <= used.user + used.system + 1
