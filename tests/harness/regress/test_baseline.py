# SPDX-License-Identifier: MIT
"""A team's list of known divergences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from harness.compare import Verdict
from harness.regress import baseline
from harness.regress.baseline import Known
from harness.regress.change import Kind, trouble
from harness.regress.side import whole
from harness.run.results import RunReport
from harness.run.rounds import summed
from hil.errors import UserError
from tests.harness.reports import ATTACH, LANES, agreeing, everything, report, reports, result

ENTRY = Known(LANES[0], "lookup", ATTACH.operation, "the kernel is wrong", "https://example.org/1")


def written(folder: Path, data: object, name: str = "hil-baseline.json") -> Path:
    (folder / name).write_text(data if isinstance(data, str) else json.dumps(data))
    return folder / name


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert baseline.read(written(tmp_path, baseline.text((ENTRY,)))) == (ENTRY,)


def test_the_same_in_toml(tmp_path: Path) -> None:
    lines = [f"{key} = {json.dumps(value)}" for key, value in ENTRY.__dict__.items()]
    path = written(tmp_path, "\n".join(["format = 1", "[[known]]", *lines]), "hil-baseline.toml")
    assert baseline.read(path) == (ENTRY,)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{", "cannot read"),
        ({"format": 2, "known": []}, "no baseline"),
        ({"format": 1}, "no baseline"),
        ({"format": 1, "known": [{"lane": "*"}]}, "entry 1 is incomplete"),
        ({"format": 1, "known": [{**ENTRY.__dict__, "reason": " "}]}, "no reason or no link"),
        ({"format": 1, "known": [{**ENTRY.__dict__, "link": ""}]}, "no reason or no link"),
        ({"format": 1, "known": [{**ENTRY.__dict__, "why": "x"}]}, "entry 1 has why"),
    ],
)
def test_what_is_no_baseline_is_refused(tmp_path: Path, data: object, said: str) -> None:
    with pytest.raises(UserError) as caught:
        baseline.read(written(tmp_path, data))
    assert said in str(caught.value)


def repeated(*observations: str) -> RunReport:
    """A script that diverges at the same operation in every round, with these observations; "" is agreement."""
    diverging, agreeing_ = (result(LANES[0], "lookup", verdict) for verdict in (Verdict.DIVERGE, Verdict.AGREE))
    rounds = (
        replace(diverging, operation=replace(ATTACH, observation=seen)) if seen else agreeing_ for seen in observations
    )
    return report(*summed(rounds), lanes=LANES[:1])


def test_a_divergence_is_known_by_its_operation_whatever_repeats_see_there() -> None:
    made = repeated("1", "2")
    assert made.results[0].verdict is Verdict.FLAKY
    assert baseline.draft(made, ENTRY.reason, ENTRY.link, ()) == (ENTRY,)
    assert baseline.excused(made, (ENTRY,)).results[0].verdict is Verdict.KNOWN
    assert list(baseline.unused(made, (ENTRY,))) == []


def test_a_divergence_that_comes_and_goes_is_flaky_however_well_known() -> None:
    made = repeated("1", "", "1")
    assert baseline.draft(made, "", "", ()) == ()
    assert baseline.excused(made, (ENTRY,)) == made
    assert list(baseline.unused(made, (ENTRY,))) == []


def test_a_known_divergence_is_excused_where_it_is_known_and_nowhere_else() -> None:
    def verdict(entry: Known) -> Verdict:
        made = report(result(LANES[0], "lookup", Verdict.DIVERGE), lanes=LANES[:1])
        return baseline.excused(made, (entry,)).results[0].verdict

    assert verdict(ENTRY) is Verdict.KNOWN
    assert verdict(replace(ENTRY, lane="debian-12/*/jit")) is Verdict.KNOWN
    assert verdict(replace(ENTRY, lane="*/arm64/*")) is Verdict.DIVERGE
    assert verdict(replace(ENTRY, script="counting")) is Verdict.DIVERGE
    assert verdict(replace(ENTRY, operation="ReadCount(event=e)")) is Verdict.DIVERGE


def test_failures_are_never_excused() -> None:
    made = report(result(LANES[0], "lookup", Verdict.LOST), lanes=LANES[:1])
    assert baseline.excused(made, (ENTRY,)) == made


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        (ENTRY, None),
        (replace(ENTRY, script="counting"), Kind.STALE),
        (replace(ENTRY, operation="ReadCount(event=e)"), Kind.STALE),
        (replace(ENTRY, script="attach-twice", lane=LANES[1]), Kind.IDLE),  # the bench failed there
        (replace(ENTRY, lane="debian-13/*"), Kind.IDLE),
    ],
)
def test_an_entry_that_excuses_nothing_is_told(entry: Known, kind: Kind | None) -> None:
    assert [change.kind for change in baseline.unused(everything(), (entry,))] == ([kind] if kind else [])


@settings(deadline=None)
@given(reports())
def test_a_run_has_no_divergence_beyond_its_own_baseline(made: RunReport) -> None:
    entries = baseline.draft(made, "it is so", "https://example.org", ())
    excused = baseline.excused(made, entries)
    assert not excused.counts()[Verdict.DIVERGE]
    assert {change.kind for change in trouble(whole(excused))} <= {Kind.FAILED, Kind.FLAKY, Kind.NOTHING}
    assert list(baseline.unused(made, entries)) == []


def test_a_draft_keeps_what_was_said_before() -> None:
    wide = replace(ENTRY, lane="debian-12/*")
    made = report(*(result(lane, script, Verdict.DIVERGE) for lane in LANES for script in ("lookup", "counting")))
    entries = baseline.draft(made, "", "", (wide,))
    assert entries.count(wide) == 1
    assert [entry.script for entry in entries] == ["lookup", "counting", "counting", "counting"]
    assert {entry.reason for entry in entries if entry != wide} == {""}


def test_an_agreeing_run_needs_no_entries() -> None:
    assert baseline.draft(agreeing(), "", "", (ENTRY,)) == ()
