# SPDX-License-Identifier: MIT
from dataclasses import replace
from itertools import pairwise

from harness.compare import Verdict
from harness.report.timings import timings
from harness.report.view import headings, news, rows
from tests.harness.reports import LANES, agreeing, report, result


def test_headings_are_shared_by_neighbours() -> None:
    kernels, archs, engines = headings(LANES)
    assert [(one.text, one.lanes) for one in kernels] == [("debian-12", (0, 1, 2))]
    assert [(one.text, one.lanes) for one in archs] == [("x86_64", (0,)), ("arm64", (1, 2))]
    assert [one.text for one in engines] == ["jit", "interp", "jit"]


def test_a_heading_is_not_shared_across_kernels() -> None:
    _, archs, _ = headings(("debian-12/arm64/jit", "debian-13/arm64/jit"))
    assert [one.lanes for one in archs] == [(0,), (1,)]


def test_times_lie_on_the_axis() -> None:
    seen = timings(report(*(result(LANES[0], f"script-{n}", seconds=0.004 * 3**n) for n in range(6))))
    (lane,), (machine,) = seen.lanes, seen.machines
    assert [(part.name, part.seconds) for part in machine.parts] == [("boot", 9.5), ("jit", lane.scripts)]
    assert abs(sum(part.width for part in machine.parts) - 100) < 1e-9
    assert [label for label, _ in seen.ticks] == ["1 ms", "10 ms", "100 ms", "1 s"]
    places = [mark.at for mark in lane.marks]
    assert places == sorted(places) and places[0] > 0 and places[-1] < 100


def test_a_lane_where_nothing_ran_has_no_times() -> None:
    assert timings(report(result(LANES[0], "counting", seconds=0.0))).lanes == ()


def test_a_machine_boots_once_for_both_engines_and_once_more_for_each_machine_that_was_lost() -> None:
    made = agreeing()
    (x86_64, arm64) = made.machines
    seen = timings(replace(made, machines=(x86_64, arm64, replace(arm64, boot_seconds=1.5))))
    told = [(one.machine, [(part.name, part.seconds) for part in one.parts]) for one in seen.machines]
    assert told == [
        ("debian-12/x86_64", [("boot", 9.5), ("jit", 0.75)]),
        ("debian-12/arm64", [("boot", 11.0), ("interp", 0.75), ("jit", 0.75)]),
    ]
    ends = [(part.at, part.at + part.width) for part in seen.machines[1].parts]
    assert all(abs(end - start) < 1e-9 for (_, end), (start, _) in pairwise(ends)), "one behind the other"


def test_what_some_lanes_cannot_do_says_nothing_of_what_others_did() -> None:
    made = report(result(LANES[0], "counting", Verdict.UNSUPPORTED), *(result(lane, "counting") for lane in LANES[1:]))
    (row,) = rows(made, ())
    assert row.verdict is Verdict.AGREE
    assert row.tally == ((Verdict.AGREE, 2), (Verdict.UNSUPPORTED, 1))


def test_what_befell_many_scripts_is_told_once_the_gravest_first() -> None:
    made = report(
        result(LANES[0], "lookup", Verdict.DIVERGE),
        *(result(lane, script, Verdict.LOST) for lane in LANES[1:] for script in ("counting", "lookup")),
        result(LANES[0], "counting"),
    )
    lost, diverged = news(rows(made, ()))
    assert (lost.verdict, [row.script for row in lost.rows], lost.lanes) == (
        Verdict.LOST,
        ["lookup", "counting"],
        LANES[1:],
    )
    assert (diverged.verdict, diverged.lanes) == (Verdict.DIVERGE, LANES[:1])
