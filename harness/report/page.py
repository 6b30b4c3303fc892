# SPDX-License-Identifier: MIT
"""The page itself: a template, its style sheet and its script, in one file."""

from __future__ import annotations

import base64
import hashlib
import shlex
from pathlib import Path

from markupsafe import Markup

from harness.compare import Verdict
from harness.report import coverage, executed
from harness.report.groups import FOLDED, folded
from harness.report.links import anchor
from harness.report.programs import cell, tables
from harness.report.templates import FOLDER, TEMPLATES, style
from harness.report.timings import timings
from harness.report.view import headings, news, rows, screens
from harness.run.results import RunReport
from harness.run.rounds import numbers
from hil.whole import write_whole

_SIGNS = {
    Verdict.AGREE: "✓",
    Verdict.DIVERGE: "✗",
    Verdict.DISAGREE: "≠",
    Verdict.FLAKY: "~",
    Verdict.KNOWN: "≈",
    Verdict.UNSUPPORTED: "–",
    Verdict.LOST: "†",
    Verdict.ERROR: "!",
}
TEMPLATES.filters |= {"anchor": anchor}


def render(report: RunReport, folder: Path | None) -> str:
    """The page. `folder` holds the console logs; without it their excerpts are left out."""
    machines = screens(report, folder)
    shown = rows(report, machines)
    script = (FOLDER / "page.js").read_text()
    return TEMPLATES.get_template("page.html.j2").render(
        report=report,
        counts=report.counts(),
        verdicts=list(Verdict),
        signs=_SIGNS,
        headings=headings(report.lanes),
        rows=shown,
        news=news(shown),
        folded=folded(report),
        titles=FOLDED,
        machines=machines,
        programs=tables(report.checked),
        fared=cell,
        happened=executed.heading,
        happenings=executed.lines,
        timings=timings(report),
        coverage=coverage,
        command=shlex.join(("hil", *report.command[1:])),
        join=shlex.join,
        numbers=numbers,
        style=style(),
        script=Markup(script),
        # The browser is told to run this script and load nothing: https://www.w3.org/TR/CSP3/
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def write(report: RunReport, folder: Path | None, path: Path) -> None:
    """Write the page whole or not at all."""
    write_whole(path, render(report, folder))
