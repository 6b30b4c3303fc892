# SPDX-License-Identifier: MIT
"""The content of the page, in its order; the template only renders it.

Lanes with the same result of a script are grouped, so that a page of many lanes stays short.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.compare import Verdict
from harness.lockstep.findings import lines
from harness.report.account import concerned, decided
from harness.report.console import tail
from harness.report.links import anchor
from harness.run.again import again, involved
from harness.run.results import MachineReport, OperationReport, RunReport, ScriptResult, ScriptText, Sighting
from harness.run.severity import severity
from harness.script.source import Source

_GRAVE = (Verdict.DIVERGE, Verdict.DISAGREE, Verdict.FLAKY, Verdict.LOST, Verdict.ERROR)


@dataclass(frozen=True)
class Heading:
    """A column heading over the lanes with these numbers."""

    text: str
    lanes: tuple[int, ...]


@dataclass(frozen=True)
class Cell:
    """A script on a lane; `anchor` is the place of its detail. Without results `verdict` is None."""

    lane: int
    anchor: str
    verdict: Verdict | None
    note: str


@dataclass(frozen=True)
class Finding:
    """Results that several lanes have in common: the same verdict of one script, for the same reason."""

    verdict: Verdict
    reason: str
    operation: OperationReport | None
    sightings: tuple[Sighting, ...]
    blame: str
    lockstep: tuple[str, ...]
    """What a run in lockstep found, on the first of the lanes."""
    postmortem: tuple[str, ...]
    """What was left of the guest, on the first of the lanes."""
    places: tuple[tuple[str, str, float], ...]  # lane, anchor, seconds
    repeat: str
    concerned: frozenset[int]
    """The operations that have to do with it."""
    consoles: tuple[tuple[str, str], ...]  # machine, end of its log


@dataclass(frozen=True)
class Row:
    """A script: its cells, one a lane, and what was found, the most severe first."""

    script: str
    anchor: str
    texts: tuple[ScriptText, ...]
    cells: tuple[Cell, ...]
    findings: tuple[Finding, ...]
    unpredicted: tuple[tuple[str, OperationReport], ...]

    @property
    def verdict(self) -> Verdict:
        """The most severe; what some lanes cannot do says nothing of what others did."""
        return self.findings[0].verdict

    @property
    def tally(self) -> tuple[tuple[Verdict, int], ...]:
        """Returns the number of lanes for each verdict, the most severe first."""
        counts = Counter[Verdict]()
        for finding in self.findings:
            counts[finding.verdict] += len(finding.places)
        return tuple(counts.items())

    @property
    def concerned(self) -> set[int]:
        """The operations that have to do with what differed."""
        return set[int]().union(*(finding.concerned for finding in self.findings))

    @property
    def marked(self) -> dict[int, Verdict]:
        """The operations that differed or were lost, and the verdict on the script for that."""
        return {
            step.index: finding.verdict
            for finding in reversed(self.findings)
            for step in (finding.operation, *(seen.operation for seen in finding.sightings))
            if step
        }

    @property
    def sentence(self) -> str:
        return self.texts[0].sentence if self.texts else ""

    @property
    def source(self) -> Source | None:
        """Returns where the kernel decides what the script shows."""
        return decided(self.texts[0]) if self.texts else None


@dataclass(frozen=True)
class News:
    """A finding with all its scripts and lanes, since one dead machine ends many scripts."""

    verdict: Verdict
    reason: str
    rows: tuple[Row, ...]
    lanes: tuple[str, ...]
    operation: OperationReport | None
    again: str
    """The command that repeats the first of its scripts."""


@dataclass(frozen=True)
class Screen:
    """A machine and the end of its console log."""

    machine: MachineReport
    anchor: str
    console: str


def headings(lanes: Sequence[str]) -> tuple[tuple[Heading, ...], ...]:
    """Three rows of headings: kernels, architectures, engines; neighbours that agree share one."""
    parts = [tuple(lane.split("/")) for lane in lanes]
    rows = []
    for depth in (1, 2, 3):
        row: list[Heading] = []
        for number, part in enumerate(parts):
            if row and parts[row[-1].lanes[-1]][:depth] == part[:depth] and depth < 3:
                row[-1] = Heading(row[-1].text, (*row[-1].lanes, number))
            else:
                row.append(Heading(part[depth - 1], (number,)))
        rows.append(tuple(row))
    return tuple(rows)


def screens(report: RunReport, folder: Path | None) -> tuple[Screen, ...]:
    """Returns every machine of the run, in its order."""
    return tuple(
        Screen(machine, f"machine-{number}", tail(folder / machine.console) if folder and machine.console else "")
        for number, machine in enumerate(report.machines, 1)
    )


def rows(report: RunReport, machines: Sequence[Screen]) -> tuple[Row, ...]:
    """Returns every script of the run, in the order of its first result."""
    scripts: dict[str, list[ScriptResult]] = {}
    for result in report.results:
        scripts.setdefault(result.script, []).append(result)
    return tuple(_row(report, script, results, machines) for script, results in scripts.items())


def news(shown: Iterable[Row]) -> tuple[News, ...]:
    """Returns everything that was not as predicted, the most severe first."""
    found: dict[tuple[Verdict, str], list[tuple[Row, Finding]]] = {}
    for row in shown:
        for finding in row.findings:
            if finding.verdict in _GRAVE:
                found.setdefault((finding.verdict, finding.reason), []).append((row, finding))
    made = [
        News(
            verdict,
            reason,
            tuple(dict.fromkeys(row for row, _ in befallen)),
            tuple(dict.fromkeys(lane for _, finding in befallen for lane, _, _ in finding.places)),
            befallen[0][1].operation,
            befallen[0][1].repeat,
        )
        for (verdict, reason), befallen in found.items()
    ]
    return tuple(sorted(made, key=lambda one: severity(one.verdict), reverse=True))


def _row(report: RunReport, script: str, results: Sequence[ScriptResult], machines: Sequence[Screen]) -> Row:
    place = anchor(script)
    anchors = {lane: anchor(script, lane) for lane in report.lanes}
    found: dict[tuple[object, ...], list[ScriptResult]] = {}
    for result in results:
        found.setdefault((result.verdict, result.reason, result.operation), []).append(result)
    findings = [_finding(report, same, anchors, machines) for same in found.values()]
    return Row(
        script,
        place,
        tuple(text for text in report.scripts if text.script == script),
        tuple(
            _cell(column, anchors[lane], next((result for result in results if result.lane == lane), None))
            for column, lane in enumerate(report.lanes)
        ),
        tuple(sorted(findings, key=lambda finding: severity(finding.verdict), reverse=True)),
        tuple((result.lane, operation) for result in results for operation in result.unpredicted),
    )


def _cell(column: int, anchor: str, result: ScriptResult | None) -> Cell:
    if result is None:
        return Cell(column, anchor, None, "not run")
    note = f"{result.verdict} in {result.rounds} rounds" if result.rounds > 1 else str(result.verdict)
    return Cell(column, anchor, result.verdict, note)


def _finding(
    report: RunReport, same: Sequence[ScriptResult], anchors: dict[str, str], machines: Sequence[Screen]
) -> Finding:
    first = same[0]
    lanes = list(dict.fromkeys(result.lane for result in same))
    grave = first.verdict in (Verdict.LOST, Verdict.ERROR)
    return Finding(
        first.verdict,
        first.reason,
        first.operation,
        first.sightings,
        first.blame.sentence() if first.blame and first.operation and first.operation.expectation else "",
        tuple(lines(first.lockstep)) if first.lockstep else (),
        tuple(first.postmortem.lines()) if first.postmortem else (),
        tuple((result.lane, anchors.get(result.lane, ""), result.seconds) for result in same),
        again(report.command, involved(same), first.script, first.rounds),
        frozenset(concerned(first)),
        tuple(_consoles(lanes, machines)) if grave else (),
    )


def _consoles(lanes: Iterable[str], machines: Sequence[Screen]) -> Iterable[tuple[str, str]]:
    wanted = {lane.rpartition("/")[0] for lane in lanes}
    for screen in machines:
        name = f"{screen.machine.kernel}/{screen.machine.arch}"
        if name in wanted and screen.machine.trouble and screen.console:
            yield name, screen.console
