# SPDX-License-Identifier: MIT
"""A run's badge: never greener than the run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings

from harness.compare import Verdict
from harness.report import badge
from harness.report.commands import report as command
from harness.run.results import RunReport
from tests.harness.report.test_programs import FIRES, REFUSED
from tests.harness.reports import LANES, agreeing, everything, report, reports, result


def drawn(run: RunReport) -> Any:
    return json.loads(badge.render(run))


def test_a_badge_has_the_fields_that_shields_reads() -> None:
    assert drawn(agreeing()) == {
        "schemaVersion": 1,
        "label": "hil run",
        "message": "9 agree",
        "color": "brightgreen",
    }


@pytest.mark.parametrize(
    ("run", "message", "colour"),
    [
        (everything(), "1 error, 1 lost, 1 flaky", "lightgrey"),
        (report(result(LANES[0], "lookup", Verdict.DIVERGE)), "1 diverge", "red"),
        (replace(agreeing(), interrupted=True), "interrupted: 9 agree", "lightgrey"),
        (replace(agreeing(), broken=("debian-13 is unsupported",)), "9 agree", "lightgrey"),
        (report(), "nothing judged", "lightgrey"),
        (replace(report(), checked=(FIRES, FIRES)), "2 fire", "brightgreen"),
        (replace(agreeing(), checked=(FIRES, REFUSED, REFUSED, FIRES)), "2 refused, 2 fire", "red"),
        (
            replace(agreeing(), checked=(replace(FIRES, expected="refused"), REFUSED)),
            "1 not as expected, 1 refused, 1 fire",
            "red",
        ),
    ],
)
def test_the_worst_comes_first_and_decides_the_colour(run: RunReport, message: str, colour: str) -> None:
    found = drawn(run)
    assert (found["message"], found["color"]) == (message, colour)


@given(reports())
@settings(max_examples=50)
def test_only_what_exits_with_0_is_green(run: RunReport) -> None:
    assert (drawn(run)["color"] == "brightgreen") is (run.exit_status == 0)


def test_the_command_prints_it(tmp_path: Path) -> None:
    agreeing().write(tmp_path / "results.json")
    made = CliRunner().invoke(command, [str(tmp_path), "--format", "badge"], catch_exceptions=False)
    assert json.loads(made.output) == drawn(agreeing())
