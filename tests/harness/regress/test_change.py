# SPDX-License-Identifier: MIT
"""What a comparison tells of verdicts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings

from harness.compare import Verdict
from harness.regress.change import Change, Kind, changes, trouble
from harness.regress.differences import differences
from harness.regress.side import one_lane, whole
from harness.run.results import OperationReport, RunReport, ScriptResult
from hil.errors import UserError
from tests.harness.reports import ATTACH, LANES, SCRIPTS, agreeing, machine, report, reports, result

LANE = LANES[0]


def compared(before: RunReport, after: RunReport) -> tuple[Change, ...]:
    return changes(whole(before), whole(after))


def one(*results: ScriptResult) -> RunReport:
    return report(*results, lanes=(LANE,))


def diverging(**differently: object) -> ScriptResult:
    return replace(result(LANE, "counting", Verdict.DIVERGE), operation=replace(ATTACH, **differently))  # type: ignore[arg-type]


OK, NO, KNOWN, FLAKY, UNSUPPORTED, LOST, ERROR, ODD = (
    result(LANE, "counting", verdict)
    for verdict in (
        Verdict.AGREE,
        Verdict.DIVERGE,
        Verdict.KNOWN,
        Verdict.FLAKY,
        Verdict.UNSUPPORTED,
        Verdict.LOST,
        Verdict.ERROR,
        Verdict.DISAGREE,
    )
)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (OK, NO, Kind.DIVERGES),
        (OK, ODD, Kind.DISAGREES),
        (NO, ODD, Kind.DISAGREES),
        (ODD, NO, Kind.DIVERGES),
        (ODD, ODD, None),
        (ODD, OK, Kind.FIXED),
        (KNOWN, NO, Kind.DIVERGES),
        (UNSUPPORTED, NO, Kind.DIVERGES),
        (LOST, NO, Kind.DIVERGES),
        (NO, diverging(index=2, operation="ReadCount(event=e)"), Kind.MOVED),
        (NO, diverging(index=5), Kind.MOVED),
        (NO, diverging(observation="EINVAL"), Kind.CHANGED),
        (NO, diverging(), None),
        (NO, replace(NO, seconds=100.0), None),
        (NO, OK, Kind.FIXED),
        (KNOWN, OK, Kind.FIXED),
        (LOST, OK, Kind.FIXED),
        (NO, KNOWN, Kind.VERDICT),
        (OK, KNOWN, Kind.VERDICT),
        (UNSUPPORTED, OK, Kind.VERDICT),
        (OK, UNSUPPORTED, Kind.UNSUPPORTED),
        (NO, UNSUPPORTED, Kind.UNSUPPORTED),
        (LOST, UNSUPPORTED, Kind.VERDICT),
        (OK, LOST, Kind.FAILED),
        (NO, ERROR, Kind.FAILED),
        (LOST, ERROR, None),
        (OK, FLAKY, Kind.FLAKY),
        (NO, FLAKY, Kind.FLAKY),
        (FLAKY, FLAKY, None),
        (FLAKY, OK, Kind.FIXED),
        (FLAKY, NO, Kind.DIVERGES),
        (FLAKY, LOST, Kind.FAILED),
    ],
)
def test_a_change_has_its_kind(before: ScriptResult, after: ScriptResult, kind: Kind | None) -> None:
    assert [change.kind for change in compared(one(before), one(after))] == ([kind] if kind else [])


def test_a_change_says_what_was_and_what_is() -> None:
    (change,) = compared(one(OK), one(NO))
    assert (change.lane, change.script, change.worse) == (LANE, "counting", True)
    assert (change.before, change.after) == ("agree", "diverge: operation 4, Attach: differs")


def test_scripts_and_lanes_come_and_go() -> None:
    fewer = report(*(result(lane, script) for lane in LANES[:2] for script in SCRIPTS[:2]), lanes=LANES[:2])
    gone = [(change.kind, change.lane, change.script) for change in compared(agreeing(), fewer)]
    assert gone == [
        (Kind.DISAPPEARED, LANES[1], "attach-twice"),
        (Kind.DISAPPEARED, LANES[2], ""),
        (Kind.DISAPPEARED, LANES[0], "attach-twice"),
    ]
    come = [(change.kind, change.lane, change.script) for change in compared(fewer, agreeing())]
    assert come == [(Kind.APPEARED, lane, script) for _, lane, script in gone]


def test_a_script_that_comes_with_a_divergence_is_worse() -> None:
    (change,) = compared(one(), one(NO))
    assert change.kind is Kind.DIVERGES


def test_repeats_that_differ_are_worse_and_tell_the_rounds() -> None:
    (change,) = compared(one(OK), one(FLAKY))
    assert (change.kind, change.worse) == (Kind.FLAKY, True)
    assert change.after == ("flaky: agree in rounds 1, 3; diverge in round 2: operation 4, Attach: differs")
    assert trouble(whole(one(FLAKY))) == (replace(change, before=""),)


def test_two_lanes_of_a_run_are_compared_under_one_name() -> None:
    made = report(result(LANES[1], "counting"), result(LANES[2], "counting", Verdict.DIVERGE))
    (change,) = changes(one_lane(made, "*/arm64/interp", "both"), one_lane(made, "*/arm64/jit", "both"))
    assert (change.kind, change.lane) == (Kind.DIVERGES, "both")
    with pytest.raises(UserError, match="name one lane"):
        one_lane(made, "*/arm64", "both")


@settings(deadline=None)
@given(reports())
def test_a_run_differs_in_nothing_from_itself(made: RunReport) -> None:
    assert compared(made, made) == ()
    assert differences(whole(made), whole(made)) == ()


@settings(deadline=None)
@given(reports(), reports())
def test_the_order_of_scripts_does_not_matter(before: RunReport, after: RunReport) -> None:
    turned = replace(after, results=tuple(sorted(after.results, key=lambda one: (one.script, one.lane))))
    assert compared(before, after) == compared(before, turned)


@settings(deadline=None)
@given(reports(), reports())
def test_what_appears_one_way_disappears_the_other(before: RunReport, after: RunReport) -> None:
    def places(found: tuple[Change, ...], kind: Kind) -> set[tuple[str, str]]:
        return {(change.lane, change.script) for change in found if change.kind is kind}

    there, back = compared(before, after), compared(after, before)
    assert places(there, Kind.APPEARED) <= places(back, Kind.DISAPPEARED)


@settings(deadline=None)
@given(reports(), reports())
def test_nothing_that_fails_goes_untold(before: RunReport, after: RunReport) -> None:
    """Whatever diverges now and did not at that operation before makes the comparison fail."""
    worse = {(change.lane, change.script) for change in compared(before, after) if change.worse}
    earlier = {
        (one.lane, one.script, one.operation.index, one.operation.operation)
        for one in before.results
        if one.verdict is Verdict.DIVERGE and one.operation
    }
    failed = {(one.lane, one.script) for one in before.results if one.verdict in (Verdict.LOST, Verdict.ERROR)}
    for found in after.results:
        step: OperationReport | None = found.operation
        if found.verdict is Verdict.DIVERGE and step and (found.lane, found.script) not in failed:
            now = (found.lane, found.script, step.index, step.operation)
            if now not in earlier:
                assert (found.lane, found.script) in worse


@settings(deadline=None)
@given(reports())
def test_trouble_is_what_the_exit_status_tells(made: RunReport) -> None:
    assert bool(trouble(whole(made))) == bool(made.exit_status)


def test_a_run_that_judged_nothing_is_trouble() -> None:
    assert trouble(whole(one(UNSUPPORTED))) == (Change(Kind.NOTHING, "the whole run", "", "", "1 unsupported"),)


def test_another_image_is_a_difference_and_no_regression() -> None:
    after = replace(agreeing(), machines=tuple(machine("debian-12", arch, "decaf") for arch in ("x86_64", "arm64")))
    assert compared(agreeing(), after) == ()
    facts = differences(whole(agreeing()), whole(after))
    assert [(fact.place, fact.fact) for fact in facts] == [
        ("debian-12/x86_64", "image sha256"),
        ("debian-12/arm64", "image sha256"),
    ]


def test_another_host_is_a_difference() -> None:
    (fact,) = differences(whole(agreeing()), whole(replace(agreeing(), host={**agreeing().host, "cpus": "64"})))
    assert (fact.place, fact.fact, fact.before, fact.after) == ("host", "cpus", "2", "64")
