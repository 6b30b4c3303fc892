# SPDX-License-Identifier: MIT
"""JUnit XML: a suite for each lane, a case for each script."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult

from harness.compare import Verdict
from harness.lane import compact
from harness.report.account import account as of_script
from harness.report.programs import account, cell
from harness.run.checked import Checked, Word
from harness.run.results import OperationReport, RunReport, ScriptResult
from harness.script.brief import brief
from hil.whole import write_whole

_ELEMENT = {
    Verdict.DIVERGE: Failure,
    Verdict.DISAGREE: Failure,
    Verdict.FLAKY: Failure,
    Verdict.LOST: Error,
    Verdict.ERROR: Error,
    Verdict.UNSUPPORTED: Skipped,
    Verdict.KNOWN: Skipped,
}
_NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: RunReport, path: Path) -> None:
    """Writes the report for a CI server."""
    write_whole(path, text(report))


def text(report: RunReport) -> str:
    """Returns the report for a CI server."""
    written: bytes = _document(report).tostring()  # type: ignore[no-untyped-call]
    return written.decode()


def _document(report: RunReport) -> JUnitXml:
    document = JUnitXml(report.title)
    for lane in report.lanes:
        suite = TestSuite(lane)
        suite.add_property("hil", _plain(report.host.get("hil", "unknown")))
        alone = replace(
            report, results=report.of(lane), tallies=tuple(tally for tally in report.tallies if tally.lane == lane)
        )
        for number, remark in enumerate(alone.remarks, 1):
            suite.add_property(f"remark-{number}", _plain(remark))
        checked = {one.script: one for one in report.checked if one.lane == lane}
        suite.add_testcases([_case(report, result, checked.pop(result.script, None)) for result in report.of(lane)])
        suite.add_testcases([_untried(one) for one in checked.values()])
        document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    return document


def _case(report: RunReport, result: ScriptResult, checked: Checked | None) -> TestCase:
    case = TestCase(_plain(result.script), classname=result.lane.replace("/", "."), time=result.seconds)
    if element := _ELEMENT.get(result.verdict):
        outcome = element(_plain(result.reason), str(result.verdict))
        if result.sightings or result.operation or result.again:
            outcome.text = _plain("\n".join(of_script(report, result)))
        case.result = [outcome]
    if checked is not None and not isinstance(next(iter(case.result), None), Failure | Error):
        case.result = _fared(checked)
    if result.unpredicted:
        case.system_out = _plain("\n".join(map(_unpredicted, result.unpredicted)))
    return case


def _untried(one: Checked) -> TestCase:
    """A program that could not be tried on a lane, so that there is no result of a script."""
    case = TestCase(_plain(one.script), classname=one.lane.replace("/", "."))
    case.result = _fared(one)
    return case


def _fared(one: Checked) -> list[FinalResult]:
    """How a program of the user's fared: a failure where it is not as it must be, skipped where nothing was seen to run
    it."""
    if one.fine:
        why = "".join(f": {why.what}" for why in one.whys[:1])
        return [] if one.expected or one.word is Word.FIRES else [Skipped(_plain(f"{one.program} {one.word}{why}"))]
    failure = Failure(_plain(f"{one.program}: {cell(one)}"), one.verdict)
    failure.text = _plain("\n".join(account(one)))
    return [failure]


def _unpredicted(step: OperationReport) -> str:
    against = brief(step.expectation) or ", ".join(compact(step.against))
    held = f"held against {against} alone" if against else "held against nothing"
    said = f"{brief(step.prediction)}; {held}; saw {brief(step.observation)}"
    return f"operation {step.index}, {brief(step.operation)}: {said}"


def _plain(words: str) -> str:
    """Returns the text without characters that XML forbids, such as guests print: https://www.w3.org/TR/xml/#charsets"""
    return _NO_CHARACTER.sub("\ufffd", words)
