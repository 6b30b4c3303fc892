# SPDX-License-Identifier: MIT
"""What a run prints: told once what many have in common, and enough to go on with."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
from rich.console import Console

from harness.compare import Verdict
from harness.report import junit, page
from harness.report.terminal import print_findings
from harness.run.results import RunReport
from tests.harness.reports import LANES, OPERATIONS, PROGRAM, everything, report, result

ENGINES = ("debian-12/arm64/interp", "debian-12/arm64/jit")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no run has left anything in runs/latest, as `make run` does in a checkout."""
    monkeypatch.chdir(tmp_path)


def printed(made: RunReport, folder: Path = Path("runs/latest")) -> str:
    stream = io.StringIO()
    print_findings(Console(file=stream, width=80), made, folder)
    return stream.getvalue()


def failing(count: int) -> RunReport:
    """So many scripts, each with a reason of its own on two lanes."""
    return report(
        *(
            replace(result(lane, f"script-{number:02}", Verdict.DIVERGE), reason=f"operation 4: {number}")
            for lane in ENGINES
            for number in range(count)
        ),
        lanes=ENGINES,
    )


def test_scripts_that_fail_alike_on_two_lanes_are_told_once_each() -> None:
    lines = printed(failing(15)).splitlines()
    heads = [line for line in lines if line.startswith("diverge: ")]
    assert heads == [f"diverge: script-{number:02} on debian-12/arm64" for number in range(15)]
    again = [line for line in lines if line.startswith("    again: ")]
    assert again == [f"    again: hil run --lanes debian-12/arm64 --scripts script-{number:02}" for number in range(15)]


def test_a_divergence_is_told_with_both_words_its_program_and_its_repetition() -> None:
    lines = printed(failing(1)).splitlines()
    told = [
        f"operation 4: {OPERATIONS[4]}",
        "predicted: EEXIST",
        "observed: 0",
        *(f"           {line}" for line in PROGRAM.listing),
        f"           {PROGRAM.code}",
        f"->  4  {OPERATIONS[4]}",
    ]
    assert [line for line in told if f"    {line}" not in lines] == []


def test_a_divergence_is_told_with_its_place_in_the_report(tmp_path: Path) -> None:
    made = failing(1)
    assert "#script-" not in printed(made, tmp_path), "where there is none"
    (tmp_path / "report.html").touch()
    place = unquote(printed(made, tmp_path).partition("    report: ")[2].splitlines()[0])
    assert place.startswith(f"{tmp_path}/report.html#script-script-00@")
    assert f'id="{place.partition("#")[2]}"' in page.render(made, None)
    assert f"report: report.html#script-script-00@{ENGINES[0]}" in junit.text(made)


def test_of_many_divergences_the_rest_says_how_to_see_its_program() -> None:
    told = printed(failing(15))
    assert told.count("program p:") == 5
    assert told.count("script and programs: hil show runs/latest:script-") == 10


def test_what_is_known_or_unsupported_comes_first_and_in_short() -> None:
    told = printed(everything())
    heads = [line.partition(":")[0] for line in told.splitlines() if not line.startswith(" ")]
    assert heads == ["known-divergence", "unsupported", "error", "lost", "flaky", "diverge", "disagree"]
    assert f"unsupported: lookup on {LANES[1]}\n    why it is unsupported\n" in told


def test_the_report_is_named_where_there_is_one(tmp_path: Path) -> None:
    assert "report.html" not in printed(everything(), tmp_path)
    (tmp_path / "report.html").touch()
    assert f"report: {tmp_path / 'report.html'}\n" in printed(everything(), tmp_path)
