# SPDX-License-Identifier: MIT
"""The page itself: a template, its style sheet and its script, in one file."""

from __future__ import annotations

import base64
import hashlib
import shlex
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.compare import Verdict
from harness.counting import counted
from harness.lane import compact
from harness.report import executed
from harness.report.programs import cell, tables
from harness.report.timings import timings
from harness.report.view import headings, news, rows, screens
from harness.run.results import RunReport
from harness.run.rounds import numbers
from harness.script.brief import brief
from hil.whole import write_whole

_HERE = Path(__file__).parent
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
# Autoescape by name would leave a `.j2` alone; everything on the page that guests or users wrote is escaped.
_TEMPLATES = Environment(
    loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_TEMPLATES.filters |= {"brief": brief, "compact": compact, "counted": counted}


def render(report: RunReport, folder: Path | None) -> str:
    """The page. `folder` holds the console logs; without it their excerpts are left out."""
    machines = screens(report, folder)
    shown = rows(report, machines)
    script = (_HERE / "page.js").read_text()
    return _TEMPLATES.get_template("page.html.j2").render(
        report=report,
        counts=report.counts(),
        verdicts=list(Verdict),
        signs=_SIGNS,
        headings=headings(report.lanes),
        rows=shown,
        news=news(shown),
        machines=machines,
        programs=tables(report.checked),
        fared=cell,
        happened=executed.heading,
        happenings=executed.lines,
        timings=timings(report),
        command=shlex.join(("hil", *report.command[1:])),
        join=shlex.join,
        numbers=numbers,
        style=Markup((_HERE / "page.css").read_text()),
        script=Markup(script),
        # The browser is told to run this script and load nothing: https://www.w3.org/TR/CSP3/
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def write(report: RunReport, folder: Path | None, path: Path) -> None:
    """Write the page whole or not at all."""
    write_whole(path, render(report, folder))
