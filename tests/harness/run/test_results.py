# SPDX-License-Identifier: MIT
import html
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from harness.compare import Verdict
from harness.history import ktap
from harness.judged import Judged
from harness.report import junit, markdown, page
from harness.report.summary import summarize
from harness.run import document
from harness.run.checked import Answer, Checked, Why
from harness.run.demands import NO_DEMANDS, Demands
from harness.run.results import MachineReport, OperationReport, RunReport, ScriptResult
from hil.errors import BenchError
from tests.harness.reports import LANES, everything

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
        ((Verdict.AGREE, Verdict.DISAGREE), 1),
        ((Verdict.DISAGREE, Verdict.LOST), 3),
        ((Verdict.AGREE, Verdict.FLAKY), 1),
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
    assert written["format"] == 6
    assert [result["verdict"] for result in written["results"]] == ["agree", "diverge"]
    assert written["results"][1]["operation"]["prediction"] == "EEXIST"
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_junit_is_xml_whatever_a_guest_says(tmp_path: Path) -> None:
    made = report(Verdict.DIVERGE)
    odd = replace(made.results[0], reason="a\0b \x1b[31m \uffff ]]> <c>")
    junit.write(replace(made, results=(odd,)), tmp_path / "junit.xml")
    failure = ElementTree.parse(tmp_path / "junit.xml").find(".//failure")
    assert failure is not None and failure.attrib["message"] == "a\ufffdb \ufffd[31m \ufffd ]]> <c>"


def test_junit_tells_what_repeats_gave(tmp_path: Path) -> None:
    junit.write(everything(), tmp_path / "junit.xml")
    failure = ElementTree.parse(tmp_path / "junit.xml").find(".//failure[@type='flaky']")
    assert failure is not None and failure.text is not None
    assert failure.text.splitlines()[:3] == [
        "agree in rounds 1, 3",
        "diverge in round 2: operation 4, Attach: differs",
        f"again: hil run --lanes {LANES[0]} --scripts attach-twice --repeat 3",
    ]


def unpredicted(expectation: str) -> RunReport:
    step = OperationReport(1, "Close(event=e)", "unpredicted: no rule", "0", expectation)
    made = report(Verdict.AGREE)
    judged = Judged(clause=1) if expectation else Judged(none=1)
    return replace(made, results=(replace(made.results[0], unpredicted=(step,), judged=judged),))


def test_junit_lists_what_the_model_has_no_rule_for(tmp_path: Path) -> None:
    junit.write(unpredicted("success"), tmp_path / "junit.xml")
    said = ElementTree.parse(tmp_path / "junit.xml").findtext(".//system-out")
    assert said == "operation 1, Close(event=e): unpredicted: no rule; held against success alone; saw 0"


def test_junit_shortens_long_values_but_not_what_was_seen() -> None:
    step = OperationReport(1, f"RunSocketFilter(packet={'00' * 512})", "unpredicted: no rule", "7", "success")
    made = report(Verdict.AGREE)
    told = junit.text(replace(made, results=(replace(made.results[0], unpredicted=(step,)),)))
    assert "...512 bytes..." in told and "unpredicted: no rule; held against success alone; saw 7" in told


def test_what_nobody_predicts_is_told_and_fails_the_run_that_asks_for_it(tmp_path: Path) -> None:
    console = Console(file=io.StringIO(), width=200)
    summarize(console, unpredicted(""), tmp_path)
    told = console.file.getvalue()
    assert re.search(r"lane +scripts +verdicts +unpredicted\n\S+ +1 +1 agree +1\n", told)
    assert "no rule for 1 operation, and neither a clause nor another lane covers 1 of them" in told
    console = Console(file=io.StringIO(), width=200)
    summarize(console, unpredicted("success"), tmp_path)
    assert "no rule for 1 operation, and a clause covers each\n" in console.file.getvalue()
    account = "1 operation: judged by model and expectation 0, by one of them 0, by other lanes alone 0, by none 1"
    assert f"{account}\n" in told
    with pytest.raises(BenchError, match=r"1 operation should give; the first is Close\(event=e\) of script-0"):
        Demands(predicted=True).check(unpredicted(""))
    NO_DEMANDS.check(unpredicted(""))
    Demands(predicted=True).check(unpredicted("success"))


def failing() -> RunReport:
    step = OperationReport(1, "LoadProgram(name='p')", "EACCES", "EACCES")
    made = report(Verdict.AGREE, Verdict.UNSUPPORTED)
    return replace(
        made, results=tuple(replace(one, unexpected=(step,), judged=Judged(2, 3, 4, lanes=5)) for one in made.results)
    )


def test_what_failed_though_nobody_said_so_is_told_and_fails_a_strict_run(tmp_path: Path) -> None:
    """Of scripts that agree: of others something else is told."""
    said = f"1 operation failed unexpectedly; the first is LoadProgram(name='p') of script-0 on {LANE}: EACCES"
    account = "28 operations: judged by model and expectation 4, by one of them 14, by other lanes alone 10, by none 0"
    assert failing().remarks == (account, said)
    console = Console(file=io.StringIO(), width=80)
    summarize(console, failing(), tmp_path)
    assert all(f"\n{remark}\n" in console.file.getvalue() for remark in failing().remarks)
    with pytest.raises(BenchError) as caught:
        Demands(expected=True).check(failing())
    assert str(caught.value) == f"{said}; expect the errno, or mend the script; without --strict this is only reported"
    Demands(predicted=True).check(failing())
    Demands(expected=True).check(unpredicted(""))


def test_what_failed_of_a_refused_program_is_told_by_its_reason_alone() -> None:
    run = failing()
    refused = Checked(LANE, "p.o", "p", "kprobe/f", "script-0", Answer.NO, whys=(Why("load", "refused", "verifier"),))
    assert run.failed_unasked
    assert replace(run, checked=(refused,)).failed_unasked == ""
    assert replace(run, checked=(replace(refused, loads=Answer.YES),)).failed_unasked == run.failed_unasked


def test_a_run_that_does_not_meet_a_demand_is_recorded_as_failed() -> None:
    """By the report itself, from which the history and every format take it."""
    strict = Demands(("debian-12",), predicted=True, expected=True)
    made = failing()
    assert made.exit_status == 0 and tuple(strict.broken(made)) == ("--strict",)
    failed = replace(made, broken=tuple(strict.broken(made)))
    assert failed.exit_status == 3 and failed.remarks[-1] == "the run fails because of --strict"
    assert markdown.render(failed).splitlines()[0] == "## hil: as predicted, not what was demanded"
    required = report(Verdict.UNSUPPORTED)
    assert tuple(strict.broken(required)) == (f"--require {LANE.partition('/')[0]}",)


def test_every_format_tells_how_much_was_judged(tmp_path: Path) -> None:
    for remark in failing().remarks:
        assert f"`{remark}`\n" in markdown.render(failing())
        assert f"<p>{html.escape(remark, quote=False)}</p>" in page.render(failing(), None).replace("&#39;", "'")
        assert f"\n# {remark}\n" in ktap.text(failing())
        failing().write(tmp_path / "results.json")
        assert remark in json.loads((tmp_path / "results.json").read_text())["judged"]["in words"]
        junit.write(failing(), tmp_path / "junit.xml")
        found = ElementTree.parse(tmp_path / "junit.xml").findall(".//testsuite/properties/property")
        assert remark in [one.attrib["value"] for one in found]
    assert document.read(tmp_path / "results.json").judged == Judged(4, 6, 8, lanes=10)


def test_every_format_tells_which_hil_it_was(tmp_path: Path) -> None:
    made = replace(failing(), host={"hil": "0.3.dev0+g0123456789ab.dirty"})
    made.write(tmp_path / "results.json")
    assert document.read(tmp_path / "results.json").host["hil"] == made.host["hil"]
    junit.write(made, tmp_path / "junit.xml")
    found = ElementTree.parse(tmp_path / "junit.xml").findall(".//testsuite/properties/property[@name='hil']")
    assert {one.attrib["value"] for one in found} == {made.host["hil"]}
    for text in (page.render(made, None), markdown.render(made)):
        assert made.host["hil"] in text


def test_a_run_in_which_nothing_was_judged_says_nothing_of_it() -> None:
    assert report(Verdict.LOST).remarks == ()


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
