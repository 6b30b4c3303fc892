# SPDX-License-Identifier: MIT
"""Divergences that are understood: each with its reason and a link."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.compare import Verdict
from harness.run.results import RunReport, ScriptResult
from hil.errors import BenchError
from hil.kernels.kernel import version_code
from hil.nearest import nearest


@dataclass(frozen=True)
class KnownDivergence:
    """`script`, `lane` and `operation` (the text of the first one that differs) are patterns with shell wildcards.

    All three must match, so that another divergence of the same script is no excuse. `versions` are the kernels it is
    about, pairs of a first and a last LINUX_VERSION_CODE, both included; None for whatever kernel the lane has. An
    entry with versions covers nothing before `about` has chosen it. `fault` is the error of the model's
    (`FunctionFault`) with which a divergence has to be predicted.
    """

    script: str
    lane: str
    operation: str
    reason: str
    link: str
    versions: tuple[tuple[int, int], ...] | None = None
    fault: str = ""

    def concerns(self, result: ScriptResult) -> bool:
        """Returns whether it is about this script on this lane."""
        return fnmatchcase(result.script, self.script) and fnmatchcase(result.lane, self.lane)

    def covers(self, result: ScriptResult) -> bool:
        return (
            self.versions is None
            and self.concerns(result)
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


def about(known: Sequence[KnownDivergence], version: int | None) -> tuple[KnownDivergence, ...]:
    """The entries about a kernel with this LINUX_VERSION_CODE; without those that name versions when it is None, since
    nobody knows which kernel it will be."""
    return tuple(
        replace(one, versions=None)
        for one in known
        if one.versions is None
        or (version is not None and any(first <= version <= last for first, last in one.versions))
    )


def stale(known: Sequence[KnownDivergence], report: RunReport) -> tuple[KnownDivergence, ...]:
    """Entries about scripts that this run carried out and that all agreed. Those with versions never are: other
    versions agree, and a version that is out stays as it is."""
    concerned = {
        one: [result.verdict for result in report.results if one.concerns(result)]
        for one in known
        if one.versions is None
    }
    return tuple(one for one, verdicts in concerned.items() if set(verdicts) == {Verdict.AGREE})


def _row(path: Path, number: int, row: dict[str, Any]) -> KnownDivergence:
    names = [field.name for field in fields(KnownDivergence)]
    needed = [field.name for field in fields(KnownDivergence) if field.default is MISSING]
    if missing := [name for name in needed if not row.get(name)]:
        raise BenchError(f"{path}: known divergence {number} has no {', '.join(missing)}")
    if strange := row.keys() - set(names):
        raise BenchError(f"{path}: known divergence {number} has {min(strange)!r}", remedy=nearest(min(strange), names))
    if "versions" in row:
        row = row | {"versions": _versions(path, number, row["versions"])}
    return KnownDivergence(**row)


def _versions(path: Path, number: int, written: Any) -> tuple[tuple[int, int], ...]:
    try:
        pairs = tuple((version_code(first), version_code(last)) for first, last in written)
    except (TypeError, ValueError, AttributeError):
        pairs = ()
    if not pairs or any(first > last for first, last in pairs):
        raise BenchError(
            f"{path}: known divergence {number} has versions {written!r}",
            remedy='write pairs of a first and a last one, both included: [["6.12.43", "6.12.74"]]',
        )
    return pairs


About = Callable[[ScriptResult], Sequence[KnownDivergence]]
"""Returns what is known that may excuse a result."""
EXCUSED = frozenset({Verdict.DIVERGE, Verdict.DISAGREE})
"""The verdicts that there are excuses for."""


def excuse(result: ScriptResult, known: Sequence[KnownDivergence]) -> ScriptResult:
    """A divergence or disagreement that is known is marked as such, with its reason in front; a divergence by an entry
    with a fault is not (`harness.run.faulty`)."""
    if result.verdict not in EXCUSED:
        return result
    for one in known:
        if one.covers(result) and not (one.fault and result.verdict is Verdict.DIVERGE):
            return excused(result, one)
    return result


def excused(result: ScriptResult, by: KnownDivergence) -> ScriptResult:
    """The result, excused by an entry."""
    return replace(result, verdict=Verdict.KNOWN, reason=f"{by.reason} ({by.link}); {result.reason}")
