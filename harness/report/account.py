# SPDX-License-Identifier: MIT
"""A result in plain text: what differs, and the whole script with its programs; for every format that takes text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from harness.compare import Verdict
from harness.lockstep.findings import lines
from harness.report.links import link
from harness.run.results import OperationReport, ProgramText, RunReport, ScriptResult, ScriptText
from harness.run.rounds import describe
from harness.script.brief import brief, brief_bytes
from harness.script.source import Source

REASON = 4000
"""The most characters of a reason; a verifier's log alone can have a mebibyte."""
_LINK = re.compile(r"https://[\w./@+-]+")
_CODES = 4
"""The instructions in hexadecimal on a line of 80 columns."""


def finding(result: ScriptResult, *, whole: bool = True, third: str = "expectation") -> Iterator[str]:
    """Yields what is not as predicted, with long values shortened: `results.json` has them whole; what lockstep found
    of it, and what was left of the guest that died of it, all of it only where that is to be `whole`. `third` is
    what carries the expectations, as in `Blame.sentence`."""
    yield from _differs(result, third)
    if result.lockstep:
        yield from lines(result.lockstep)
    if result.postmortem:
        yield from result.postmortem.lines() if whole else result.postmortem.short()


def _differs(result: ScriptResult, third: str) -> Iterator[str]:
    if result.sightings:
        yield from (brief(describe(seen), REASON) for seen in result.sightings)
        return
    if result.reason and not (result.operation and result.verdict in (Verdict.DIVERGE, Verdict.DISAGREE)):
        yield brief(result.reason, REASON)
    if result.operation:
        yield from outcomes(result.operation)
        if result.blame and result.operation.expectation:
            yield result.blame.sentence(third)


def outcomes(step: OperationReport) -> Iterator[str]:
    """Yields the operation, and its outcomes by kernel, model and expectation."""
    yield f"operation {step.index}: {brief(step.operation)}"
    if step.expectation:
        yield f"expected: {brief(step.expectation)}"
    if step.prediction:
        yield f"predicted: {brief(step.prediction)}"
    yield f"observed: {brief(step.observation)}"
    yield from step.difference


def text_of(report: RunReport, result: ScriptResult) -> ScriptText | None:
    """Returns the script as it is on the result's machine."""
    machine = result.lane.rpartition("/")[0]
    return next((one for one in report.scripts if one.script == result.script and machine in one.machines), None)


def script(
    text: ScriptText, marked: Collection[int] = (), listed: Collection[int] | None = None, *, whole: bool = False
) -> Iterator[str]:
    """Yields its name and machines; then a line for each operation, `marked` ones with an arrow, and below it its
    expectation and the programs it loads, if it is among those `listed`. Long runs of bytes are shortened, unless it
    is to be `whole`."""
    yield from _head(text)
    for index in range(len(text.operations)):
        lines = _operation(text, index, marked, listed is None or index in listed)
        yield from lines if whole else map(brief_bytes, lines)


def excerpt(text: ScriptText, result: ScriptResult) -> Iterator[str]:
    """The same for where room is short: of the operations the one that differed, and what it may depend on."""
    yield from _head(text)
    marked = {step.index for step in result.operations}
    wanted, left_out = concerned(result), 0
    for index in range(len(text.operations)):
        if index in wanted:
            if left_out:
                yield f"          ({left_out} without influence)"
            left_out = 0
            yield from map(brief_bytes, _operation(text, index, marked, True))
        else:
            left_out += 1
    if left_out:
        yield f"          ({left_out} behind it)"


def concerned(result: ScriptResult) -> set[int]:
    """Returns the operations that differed, and those they may depend on; all before them where the run did not record
    that."""
    found = {step.index for step in result.operations}
    for step in result.operations:
        found.update(step.depends_on or range(step.index))
    return found


def decided(text: ScriptText | None) -> Source | None:
    """Returns where the kernel decides what the script shows, if its link is safe: results may come from anywhere."""
    return text.source if text and text.source and _LINK.fullmatch(text.source.link) else None


def _head(text: ScriptText) -> Iterator[str]:
    where = f", as on {', '.join(text.machines)}" if text.machines else ""
    yield f"script {text.script}{where}{f': {text.sentence}' if text.sentence else ''}"
    if text.source:
        yield f"source: {text.source.text} <{text.source.link}>"


def _operation(text: ScriptText, index: int, marked: Collection[int], listed: bool) -> Iterator[str]:
    yield f"{'->' if index in marked else '  '}{index:>3}  {text.operations[index]}"
    if index < len(text.expected) and text.expected[index]:
        yield f"         expected: {text.expected[index]}"
    for program in text.programs:
        if program.operation == index and listed:
            yield from (f"         {line}" for line in _program(program))


def _program(program: ProgramText) -> Iterator[str]:
    yield f"program {program.name}:"
    yield from (f"  {line}" for line in program.listing)
    codes = program.code.split()
    if codes:
        yield "  in hexadecimal, an instruction a word:"
        yield from (f"  {' '.join(codes[at : at + _CODES])}" for at in range(0, len(codes), _CODES))
    yield from (f"  map {line}" for line in program.maps)


def account(report: RunReport, result: ScriptResult) -> Iterator[str]:
    """Yields all of it: the finding, the command that repeats it, its place in the report, and the script with the
    programs that have to do with it."""
    yield from finding(result)
    if result.again:
        yield f"again: {result.again}"
    yield f"report: {link(result.script, result.lane)}"
    text = text_of(report, result)
    if text and result.operations:
        yield from around(text, result)


def around(text: ScriptText, result: ScriptResult) -> Iterator[str]:
    """The script, with the programs that have to do with what the result says of it."""
    return script(text, {step.index for step in result.operations}, concerned(result))
