"""Divergences that are understood: each with its reason and a link."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from harness.compare import Verdict
from harness.run.results import ScriptResult


@dataclass(frozen=True)
class KnownDivergence:
    """`script` and `lane` are patterns with shell wildcards."""

    script: str
    lane: str
    reason: str
    link: str

    def covers(self, result: ScriptResult) -> bool:
        return fnmatchcase(result.script, self.script) and fnmatchcase(result.lane, self.lane)


def read(path: Path) -> tuple[KnownDivergence, ...]:
    """The `[[known]]` tables of a TOML file, one an entry; all four fields are required."""
    return tuple(KnownDivergence(**row) for row in tomllib.loads(path.read_text())["known"])


def excuse(result: ScriptResult, known: Sequence[KnownDivergence]) -> ScriptResult:
    """A divergence that is known is told as such, with its reason in front."""
    if result.verdict is not Verdict.DIVERGE:
        return result
    for one in known:
        if one.covers(result):
            reason = f"{one.reason} ({one.link}); {result.reason}"
            return replace(result, verdict=Verdict.KNOWN, reason=reason)
    return result
