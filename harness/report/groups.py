# SPDX-License-Identifier: MIT
"""Groups of results with the same verdict and reason, which are reported together."""

from __future__ import annotations

from dataclasses import dataclass

from harness.compare import Verdict
from harness.run.again import again, involved
from harness.run.results import RunReport, ScriptResult
from harness.run.severity import severity

FOLDED = {Verdict.KNOWN: "Known divergences", Verdict.UNSUPPORTED: "Unsupported"}
"""Verdicts that are reported, but not as differences from predictions, with the titles of their lists."""


@dataclass(frozen=True)
class Group:
    """Results with the same verdict for the same reason."""

    verdict: Verdict
    reason: str
    results: tuple[ScriptResult, ...]

    @property
    def scripts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(result.script for result in self.results))

    @property
    def lanes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(result.lane for result in self.results))

    def again(self, report: RunReport) -> str:
        """Returns the command that repeats the first of its scripts, on every lane in the group."""
        first = self.results[0]
        lanes = involved(result for result in self.results if result.script == first.script)
        return again(report.command, lanes, first.script, first.rounds)


def grouped(report: RunReport) -> list[Group]:
    """Returns groups of all results but agreement, the most severe first."""
    found: dict[tuple[Verdict, str], list[ScriptResult]] = {}
    for result in report.results:
        if result.verdict is not Verdict.AGREE:
            found.setdefault((result.verdict, _why(result)), []).append(result)
    groups = [Group(verdict, reason, tuple(results)) for (verdict, reason), results in found.items()]
    return sorted(groups, key=lambda group: severity(group.verdict), reverse=True)


def folded(report: RunReport) -> list[tuple[Verdict, list[Group]]]:
    """Returns the groups of the verdicts in `FOLDED`, those with the most results first."""
    groups = sorted(grouped(report), key=lambda group: len(group.results), reverse=True)
    found = [(verdict, [group for group in groups if group.verdict is verdict]) for verdict in FOLDED]
    return [(verdict, some) for verdict, some in found if some]


def _why(result: ScriptResult) -> str:
    """The reason; of a known divergence without the operation behind it, so that an entry's cases are one group."""
    if result.verdict is Verdict.KNOWN and result.operation:
        return result.reason.partition(f"; operation {result.operation.index}, ")[0]
    return result.reason
