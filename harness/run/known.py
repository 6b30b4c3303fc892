# SPDX-License-Identifier: MIT
"""Divergences that are understood: each with its reason and a link."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path

from harness.compare import Verdict
from harness.run.results import RunReport, ScriptResult
from harness.script.malformed import nearest
from hil.errors import BenchError


@dataclass(frozen=True)
class KnownDivergence:
    """`script`, `lane` and `operation` (the text of the first one that differs) are patterns with shell wildcards.

    All three must match, so that another divergence of the same script is no excuse.
    """

    script: str
    lane: str
    operation: str
    reason: str
    link: str

    def concerns(self, result: ScriptResult) -> bool:
        """Whether it is about this script on this lane."""
        return fnmatchcase(result.script, self.script) and fnmatchcase(result.lane, self.lane)

    def covers(self, result: ScriptResult) -> bool:
        return (
            self.concerns(result)
            and result.operation is not None
            and fnmatchcase(result.operation.operation, self.operation)
        )


def read(path: Path) -> tuple[KnownDivergence, ...]:
    """The `[[known]]` tables of a TOML file, one an entry; BenchError for one that lacks a field, and for what has no
    meaning there, since it would excuse nothing without a word."""
    try:
        content = tomllib.loads(path.read_text())
    except tomllib.TOMLDecodeError as error:
        raise BenchError(f"{path} is no TOML: {error}") from None
    rows = content.pop("known", [])
    if content:
        raise BenchError(f"{path}: {min(content)!r} has no meaning", remedy="write entries as [[known]]")
    return tuple(_row(path, number, row) for number, row in enumerate(rows, 1))


def stale(known: Sequence[KnownDivergence], report: RunReport) -> tuple[KnownDivergence, ...]:
    """Entries about scripts that this run carried out and that all agreed."""
    concerned = {one: [result.verdict for result in report.results if one.concerns(result)] for one in known}
    return tuple(one for one, verdicts in concerned.items() if set(verdicts) == {Verdict.AGREE})


def _row(path: Path, number: int, row: dict[str, str]) -> KnownDivergence:
    names = [field.name for field in fields(KnownDivergence)]
    if missing := [name for name in names if not row.get(name)]:
        raise BenchError(f"{path}: known divergence {number} has no {', '.join(missing)}")
    if strange := row.keys() - set(names):
        raise BenchError(f"{path}: known divergence {number} has {min(strange)!r}", remedy=nearest(min(strange), names))
    return KnownDivergence(*(row[name] for name in names))


def excuse(result: ScriptResult, known: Sequence[KnownDivergence]) -> ScriptResult:
    """A divergence or disagreement that is known is told as such, with its reason in front."""
    if result.verdict not in (Verdict.DIVERGE, Verdict.DISAGREE):
        return result
    for one in known:
        if one.covers(result):
            reason = f"{one.reason} ({one.link}); {result.reason}"
            return replace(result, verdict=Verdict.KNOWN, reason=reason)
    return result
