# SPDX-License-Identifier: MIT
"""The table of a conformance run's time."""

from __future__ import annotations

from dataclasses import replace

from harness.benchmarks.conformance import phases, shared, table
from harness.run.phase_timing import PhaseTime
from tests.harness.reports import agreeing

PLACE, LANE = "debian-12/arm64", "debian-12/arm64/jit"
REPORT = replace(
    agreeing(),
    seconds=10.0,
    spent=(
        PhaseTime(PLACE, "boot", 3.0, 1),
        PhaseTime(LANE, "guest", 5.0, 60),
        PhaseTime("debian-12/x86_64", "boot", 1.0, 2),
    ),
)


def test_phases_are_summed_over_places_and_what_comes_behind_the_run_is_one() -> None:
    assert phases(REPORT, took=11.0) == (
        PhaseTime("", "guest", 5.0, 60),
        PhaseTime("", "boot", 4.0, 3),
        PhaseTime("", "reports", 1.0, 1),
    )


def test_shares_are_of_everything() -> None:
    assert [share for _, share in shared(phases(REPORT, took=11.0))] == [0.5, 0.4, 0.1]
    assert shared([PhaseTime("", "boot", 0.0, 1)]) == ((PhaseTime("", "boot", 0.0, 1), 0.0),)


def test_the_table_has_a_column_a_place() -> None:
    heading, (guest, boot, reports) = table(REPORT, took=11.0)
    assert heading == ("phase", "share", "seconds", "times", PLACE, LANE, "debian-12/x86_64")
    assert guest == ("guest", "50%", "5.0", "60", "", "5.0", "")
    assert boot == ("boot", "40%", "4.0", "3", "3.0", "", "1.0")
    assert reports == ("reports", "10%", "1.0", "1", "", "", "")
