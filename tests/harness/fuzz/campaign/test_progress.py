# SPDX-License-Identifier: MIT
"""What a campaign tells in a log."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.fuzz.campaign import progress as module
from harness.fuzz.campaign.progress import progress
from harness.fuzz.campaign.totals import Totals
from tests.harness.fuzz.campaign.fakes import campaign, entries


def test_lines_in_a_log_tell_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often lines say that it goes on, and not every range has its line."""
    one, totals, log = campaign(40), Totals(campaign(40).lanes), io.StringIO()
    clock = [1000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    with progress(Console(file=log, width=200), one.cases) as tell:
        for entry in entries(40, 10):
            totals.add(entry)
            tell(totals)
            clock[0] += 3.0
    told = [line for line in log.getvalue().splitlines() if " of 40 cases" in line]
    assert [line.partition(" ")[0] for line in told] == ["10", "30"]
    assert log.getvalue().startswith("40 cases for each lane\n")
