# SPDX-License-Identifier: MIT
"""A run as a badge: the JSON that shields.io's endpoint badges are drawn from.

The fields are those of https://shields.io/badges/endpoint-badge. A badge is green only where the command itself would
have exited with 0, so that a run that was interrupted or judged nothing never looks as if it had passed.
"""

from __future__ import annotations

import json

from harness.run.results import RunReport
from harness.run.severity import severity

_COLOURS = {0: "brightgreen", 1: "red"}
_UNKNOWN = "lightgrey"
"""For a run that says nothing of the kernels: the bench or a machine failed, or it was ended early."""
_SHOWN = 3
"""Counts that are named; a badge is one short line."""


def render(report: RunReport) -> str:
    """Returns the badge as one line of JSON."""
    colour = _COLOURS.get(report.exit_status, _UNKNOWN)
    badge = {"schemaVersion": 1, "label": report.title, "message": _message(report), "color": colour}
    return json.dumps(badge, ensure_ascii=False) + "\n"


def _message(report: RunReport) -> str:
    """What was found, the worst first."""
    counts = report.counts()
    found = [f"{counts[verdict]:,} {verdict}" for verdict in sorted(counts, key=severity, reverse=True)]
    if report.checked:
        fine = sum(one.fine for one in report.checked)
        found.insert(0, f"{fine:,} of {len(report.checked):,} fine")
    words = ", ".join(found[:_SHOWN]) or "nothing judged"
    return f"interrupted: {words}" if report.interrupted else words
