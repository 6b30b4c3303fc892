# SPDX-License-Identifier: MIT
"""KTAP, version 1: a subtest for each lane, in it a line for each script; the kernel's
Documentation/dev-tools/ktap.rst, 6.1."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.compare import Verdict
from harness.report.account import account
from harness.run.results import RunReport, ScriptResult

_DIRECTIVE = {
    # kselftest.h's ksft_test_result_xfail() says "ok", and parsers that do not know the directive fall back to that.
    Verdict.KNOWN: "XFAIL",
    Verdict.UNSUPPORTED: "SKIP",
    Verdict.LOST: "ERROR",
    Verdict.ERROR: "ERROR",
}
_NOT_OK = {Verdict.DIVERGE, Verdict.DISAGREE, Verdict.FLAKY, Verdict.LOST, Verdict.ERROR}


def text(report: RunReport) -> str:
    """Returns the whole report."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: RunReport) -> Iterator[str]:
    yield from _head(len(report.lanes))
    for number, lane in enumerate(report.lanes, 1):
        results = [result for result in report.results if result.lane == lane]
        for line in _lane(report, results):
            yield f"  {line}"
        yield _line(number, lane, _summary(results))
    yield from (f"# {_flat(remark)}" for remark in report.remarks)


def _lane(report: RunReport, results: Sequence[ScriptResult]) -> Iterator[str]:
    yield from _head(len(results))
    for number, result in enumerate(results, 1):
        if result.sightings or result.operation or result.verdict is Verdict.DIVERGE:
            # The place in the line is part of what a listing says; a line is a line of KTAP.
            yield from (f"# {result.script}: {line}" for told in account(report, result) for line in told.splitlines())
        yield _line(number, result.script, result.verdict, result.reason)


def _head(count: int) -> Iterator[str]:
    yield "KTAP version 1"
    yield f"1..{count}"


def _line(number: int, name: str, verdict: Verdict, reason: str = "") -> str:
    line = f"{'not ok' if verdict in _NOT_OK else 'ok'} {number} {_flat(name).replace('#', '_')}"
    if directive := _DIRECTIVE.get(verdict):
        line += f" # {directive} {_flat(reason)}".rstrip()
    return line


def _summary(results: Sequence[ScriptResult]) -> Verdict:
    """Returns the verdict of a parent, which fails when a subtest fails, and is skipped when all of them are, or when
    it has none."""
    verdicts = {result.verdict for result in results}
    if verdicts & _NOT_OK:
        return Verdict.DIVERGE
    return Verdict.AGREE if verdicts - {Verdict.UNSUPPORTED} else Verdict.UNSUPPORTED


def _flat(words: str) -> str:
    """Returns the text on one line, because a line is KTAP's unit."""
    return " ".join(words.split())
