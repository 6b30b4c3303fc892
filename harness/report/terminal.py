# SPDX-License-Identifier: MIT
"""The findings of a run, for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.counting import counted
from harness.lane import compact
from harness.report.account import REASON, excerpt, finding, text_of
from harness.report.groups import FOLDED, Group, grouped
from harness.report.links import PAGE, link
from harness.run.results import RunReport
from harness.run.watch import STYLES
from harness.script.brief import brief

WHOLE = 5
"""The number of the most severe findings that are shown with script and programs; the others come with the command that
shows them."""
_NAMES = 8  # scripts, or lanes, that are named one by one


def print_findings(console: Console, report: RunReport, folder: Path) -> None:
    """Print every result that is no agreement, those together that have it in common: what is known or unsupported
    first, so that the most severe is near the end of what scrolls by; and where the reports are."""
    groups = grouped(report)
    for group in groups:
        if group.verdict in FOLDED:
            _print(console, group, [brief(group.reason, REASON)])
    grave = [group for group in groups if group.verdict not in FOLDED]
    for number, group in enumerate(grave):
        _print(console, group, _lines(report, group, folder, whole=number < WHOLE))
    if (folder / PAGE).exists():
        console.print(Text(f"report: {folder / PAGE}"), soft_wrap=True)


def _print(console: Console, group: Group, lines: Iterator[str] | Sequence[str]) -> None:
    head = f"{group.verdict}: {_names(group.scripts, 'script')} on {_names(compact(group.lanes), 'lane')}"
    console.print(Text(head, style=STYLES[group.verdict]), soft_wrap=True)
    for line in lines:
        console.print(Text(f"    {line}"), soft_wrap=True)


def _lines(report: RunReport, group: Group, folder: Path, *, whole: bool) -> Iterator[str]:
    first = group.results[0]
    yield from finding(first, whole=False)
    yield f"again: {group.again(report)}"
    if (page := folder / PAGE).exists():
        yield f"report: {link(first.script, first.lane, str(page))}"
    text = text_of(report, first)
    if not (text and first.operations):
        return
    others = group.scripts[1:]
    if whole:
        yield from (brief(line) for line in excerpt(text, first))
    else:
        others = group.scripts
    if others:
        yield f"script and programs: hil show {folder}:{others[0]}{' and so on' if len(others) > 1 else ''}"


def _names(names: Sequence[str], noun: str) -> str:
    more = f" and {counted(len(names) - _NAMES, f'more {noun}')}" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more
