# SPDX-License-Identifier: MIT
"""A team's own list of known divergences, kept beside their sources.

JSON, or the same in TOML: `{"format": 1, "known": [{"lane", "script", "operation", "reason", "link"}, ...]}`. `lane`
may have shell wildcards. An entry excuses a divergence at the operation it names and at no other; it must say why it is
known and link to where that is followed up; and it is reported when it excuses nothing any more.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from harness.compare import Verdict
from harness.regress.change import DIFFER, Change, Kind
from harness.run.results import RunReport, ScriptResult
from hil.errors import UserError

FORMAT = 1
_REMEDY = "`hil baseline RUN` writes one"


@dataclass(frozen=True)
class Known:
    """One entry; `operation` is as results describe it: `Attach(event=e, program=p)`."""

    lane: str
    script: str
    operation: str
    reason: str
    link: str

    def about(self, result: ScriptResult) -> bool:
        """Returns whether the entry is about this script on this lane."""
        return result.script == self.script and fnmatchcase(result.lane, self.lane)

    def excuses(self, result: ScriptResult) -> bool:
        """Returns whether the result is the divergence that is known; of one that was repeated, in every round."""
        return _diverges_at_one_place(result) and self.about(result) and _operation(result) == self.operation


def read(path: Path, *, complete: bool = True) -> tuple[Known, ...]:
    """Returns the entries of a baseline file; raises UserError when it is none, or an entry gives no reason.

    Without `complete`, reasons and links may be missing yet.
    """
    try:
        text = path.read_text()
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read the baseline {path}: {error}", remedy=_REMEDY) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("known"), list):
        raise UserError(f"{path} is no baseline of format {FORMAT}", remedy=_REMEDY)
    entries = tuple(_entry(path, number, entry) for number, entry in enumerate(data["known"], 1))
    for number, known in enumerate(entries, 1):
        if complete and not (known.reason.strip() and known.link.strip()):
            raise UserError(
                f"{path}: entry {number} ({known.lane} {known.script}) has no reason or no link",
                remedy="say why the divergence is known, and link to where it is followed up",
            )
    return entries


def _entry(path: Path, number: int, entry: Any) -> Known:
    names = [field.name for field in fields(Known)]
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in names):
        raise UserError(f"{path}: entry {number} is incomplete", remedy=f"it needs the strings {', '.join(names)}")
    if unknown := sorted(entry.keys() - names):
        raise UserError(f"{path}: entry {number} has {', '.join(unknown)}", remedy=f"it takes {', '.join(names)}")
    return Known(**entry)


def excused(report: RunReport, entries: tuple[Known, ...]) -> RunReport:
    """Returns the run with known divergences marked as such."""
    return replace(report, results=tuple(_excused(result, entries) for result in report.results))


def _excused(result: ScriptResult, entries: tuple[Known, ...]) -> ScriptResult:
    for known in entries:
        if known.excuses(result):
            return replace(
                result, verdict=Verdict.KNOWN, reason=f"{known.reason} ({known.link}); {result.reason}".rstrip("; ")
            )
    return result


def unused(report: RunReport, entries: tuple[Known, ...]) -> Iterator[Change]:
    """Yields entries that excuse nothing: stale when what they are about ran and agreed or diverged elsewhere, else
    idle."""
    for known in entries:
        if any(known.excuses(result) for result in report.results):
            continue
        said = f"known at {known.operation}"
        about = [result for result in report.results if known.about(result)]
        if any(result.verdict is Verdict.FLAKY for result in about):
            continue  # which fails by itself; whether the entry is stale is not known
        judged = [result for result in about if result.verdict in (Verdict.AGREE, *DIFFER, Verdict.KNOWN)]
        if judged:
            now = ", ".join(dict.fromkeys(f"{result.lane}: {result.verdict}" for result in judged))
            yield Change(Kind.STALE, known.lane, known.script, said, now)
        else:
            yield Change(Kind.IDLE, known.lane, known.script, said, "nothing of it was judged in this run")


def draft(report: RunReport, reason: str, link: str, kept: tuple[Known, ...]) -> tuple[Known, ...]:
    """Returns an entry for every divergence of the run; reason and link come from `kept` where it knows the divergence
    already."""
    entries = []
    for result in report.results:
        if _diverges_at_one_place(result):
            same = next((known for known in kept if known.excuses(result)), None)
            entries.append(same or Known(result.lane, result.script, _operation(result), reason, link))
    return tuple(dict.fromkeys(entries))


def text(entries: tuple[Known, ...]) -> str:
    """Returns the file's contents."""
    return json.dumps({"format": FORMAT, "known": [asdict(known) for known in entries]}, indent=2) + "\n"


def _diverges_at_one_place(result: ScriptResult) -> bool:
    """Returns whether all divergences are at one operation, even if repeats observe something else there each time."""
    if result.verdict is Verdict.FLAKY:
        words = {(seen.verdict, seen.operation and seen.operation.operation) for seen in result.sightings}
        return len(words) == 1 and result.sightings[0].verdict in DIFFER
    return result.verdict in DIFFER


def _operation(result: ScriptResult) -> str:
    return result.operation.operation if result.operation else ""
