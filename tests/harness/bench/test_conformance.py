"""The table of a conformance run's time."""

from __future__ import annotations

from dataclasses import replace

from harness.bench.conformance import phases, shared, table
from harness.run.spending import Spent
from tests.harness.reports import agreeing

PLACE, LANE = "debian-12/arm64", "debian-12/arm64/jit"
REPORT = replace(
    agreeing(),
    seconds=10.0,
    spent=(Spent(PLACE, "boot", 3.0, 1), Spent(LANE, "guest", 5.0, 60), Spent("debian-12/x86_64", "boot", 1.0, 2)),
)


def test_phases_are_summed_over_places_and_what_comes_behind_the_run_is_one() -> None:
    assert phases(REPORT, took=11.0) == (
        Spent("", "guest", 5.0, 60),
        Spent("", "boot", 4.0, 3),
        Spent("", "reports", 1.0, 1),
    )


def test_shares_are_of_everything() -> None:
    assert [share for _, share in shared(phases(REPORT, took=11.0))] == [0.5, 0.4, 0.1]
    assert shared([Spent("", "boot", 0.0, 1)]) == ((Spent("", "boot", 0.0, 1), 0.0),)


def test_the_table_has_a_column_a_place() -> None:
    heading, (guest, boot, reports) = table(REPORT, took=11.0)
    assert heading == ("phase", "share", "seconds", "times", PLACE, LANE, "debian-12/x86_64")
    assert guest == ("guest", "50%", "5.0", "60", "", "5.0", "")
    assert boot == ("boot", "40%", "4.0", "3", "3.0", "", "1.0")
    assert reports == ("reports", "10%", "1.0", "1", "", "", "")
