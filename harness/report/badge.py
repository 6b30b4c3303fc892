# SPDX-License-Identifier: MIT
"""A run as a badge: the JSON that shields.io's endpoint badges are drawn from.

The fields are those of https://shields.io/badges/endpoint-badge. A badge is green only where the command itself would
have exited with 0, so that a run that was interrupted or judged nothing never looks as if it had passed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from harness.compare import Verdict
from harness.run.checked import Checked, Word
from harness.run.results import RunReport
from harness.run.severity import severity

_COLOURS = {0: "brightgreen", 1: "red"}
_UNKNOWN = "lightgrey"
"""For a run that says nothing of the kernels: the bench or a machine failed, or it was ended early."""
_REACHED = {
    Word.NOT_RUN: "not run",
    Word.REFUSED: "refused",
    Word.NOT_ATTACHED: "not attached",
    Word.OPEN: "open",
    Word.LOADS: "load",
    Word.ATTACHES: "attach",
    Word.FIRES: "fire",
}
"""How far programs came, the least first."""
_SHOWN = 3
"""Counts that are named; a badge is one short line."""


def render(report: RunReport) -> str:
    """Returns the badge as one line of JSON."""
    colour = _COLOURS.get(report.exit_status, _UNKNOWN)
    badge = {"schemaVersion": 1, "label": report.title, "message": _message(report), "color": colour}
    return json.dumps(badge, ensure_ascii=False) + "\n"


def _programs(checked: Sequence[Checked]) -> Iterator[str]:
    """Yields how many programs on lanes are not as the user's table says, and how far all of them came."""
    if unexpected := sum(bool(one.expected) and not one.fine for one in checked):
        yield f"{unexpected:,} not as expected"
    if misread := sum(one.misread for one in checked):
        yield f"{misread:,} with wrong registers"
    words = Counter(one.word for one in checked)
    yield from (f"{words[word]:,} {said}" for word, said in _REACHED.items() if words[word])


def _message(report: RunReport) -> str:
    """What was found, the worst first; of a run with objects, how far their programs came, instead of agreement."""
    counts = report.counts()
    if report.checked:
        for verdict in (Verdict.AGREE, Verdict.UNSUPPORTED):
            del counts[verdict]
    found = [f"{counts[verdict]:,} {verdict}" for verdict in sorted(counts, key=severity, reverse=True)]
    found += _programs(report.checked)
    words = ", ".join(found[:_SHOWN]) or "nothing judged"
    return f"interrupted: {words}" if report.interrupted else words
