import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.compare import Verdict
from harness.run import junit
from harness.run.results import MachineReport, OperationReport, RunReport, ScriptResult

LANE = "debian-12/arm64/jit"


def report(*verdicts: Verdict) -> RunReport:
    step = OperationReport(4, "Attach(event=e, program=p)", "EEXIST", "0")
    results = tuple(
        ScriptResult(LANE, f"script-{n}", verdict, "" if verdict is Verdict.AGREE else "why", step, seconds=0.5)
        for n, verdict in enumerate(verdicts)
    )
    return RunReport("2026-01-01", 1.0, ("hil",), {}, (LANE,), (MachineReport("debian-12", "arm64"),), results)


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ((Verdict.AGREE, Verdict.AGREE), 0),
        ((Verdict.AGREE, Verdict.KNOWN), 0),
        ((Verdict.AGREE, Verdict.UNSUPPORTED), 0),
        ((Verdict.AGREE, Verdict.DIVERGE), 1),
        ((Verdict.DIVERGE, Verdict.LOST), 3),
        ((Verdict.AGREE, Verdict.ERROR), 3),
        ((Verdict.UNSUPPORTED,), 3),
        ((), 3),
    ],
)
def test_the_exit_status_fails_closed(verdicts: tuple[Verdict, ...], status: int) -> None:
    assert report(*verdicts).exit_status == status


def test_results_are_written_whole(tmp_path: Path) -> None:
    report(Verdict.AGREE, Verdict.DIVERGE).write(tmp_path / "results.json")
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["format"] == 1
    assert [result["verdict"] for result in written["results"]] == ["agree", "diverge"]
    assert written["results"][1]["operation"]["prediction"] == "EEXIST"
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_junit_counts_what_a_ci_server_shows(tmp_path: Path) -> None:
    junit.write(report(Verdict.AGREE, Verdict.DIVERGE, Verdict.LOST, Verdict.UNSUPPORTED), tmp_path / "junit.xml")
    (suite,) = ElementTree.parse(tmp_path / "junit.xml").getroot()
    assert {key: suite.attrib[key] for key in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": LANE,
        "tests": "4",
        "failures": "1",
        "errors": "1",
        "skipped": "1",
    }
    failure = suite.find("testcase/failure")
    assert failure is not None and failure.text is not None
    assert "operation 4: Attach(event=e, program=p)" in failure.text
