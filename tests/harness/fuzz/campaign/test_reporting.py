# SPDX-License-Identifier: MIT
"""The reports of a campaign: findings with their listing, and coverage, in every form."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from harness.fuzz.campaign.reporting import reported
from harness.fuzz.campaign.totals import Totals
from harness.fuzz.generate import case
from harness.history.store import History
from harness.model.eras import era
from harness.report import markdown
from harness.run import document
from harness.run.results import ScriptResult
from harness.script.operations import LoadProgram
from tests.harness.fuzz.campaign.fakes import campaign, entries


def about_its_program(result: ScriptResult) -> ScriptResult:
    """The finding, by an operation that depends on the program of its case."""
    script = case(1, int(result.script.rpartition("-")[2]), era("6.1", "x86_64"))
    load = next(index for index, one in enumerate(script.operations) if isinstance(one, LoadProgram))
    assert result.operation
    return replace(result, operation=replace(result.operation, index=load + 1, depends_on=(load,)))


def test_findings_go_to_every_report_with_their_listing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    one, totals, said = campaign(8), Totals(campaign(8).lanes), io.StringIO()

    def carry_out() -> None:
        (entry,) = entries(8, 8)
        totals.add(replace(entry, findings=tuple(map(about_its_program, entry.findings))))
        totals.reached["6.1/x86_64"] = {"refusal: M-03", "instruction: add64_imm 1, 1 -> +"}

    folder = tmp_path / "run"
    folder.mkdir()
    report = reported(Console(file=said, width=200), one, folder, totals, carry_out)
    assert report.exit_status == 1
    assert document.read(folder / "results.json") == report
    for name in ("results.json", "junit.xml", "report.html"):
        text = (folder / name).read_text()
        assert "case-1-7" in text and "r6 = r1" in text, name
    assert "LookupElement" in (folder / "junit.xml").read_text()
    for text in ((folder / "report.html").read_text(), said.getvalue(), markdown.render(report)):
        assert "6.1/x86_64" in text and "1 of 82, in 1 ways" in text
    assert json.loads((folder / "coverage.json").read_text()) == {
        "6.1/x86_64": ["instruction: add64_imm 1, 1 -> +", "refusal: M-03"]
    }
    assert len(History().entries(9)) == 1
