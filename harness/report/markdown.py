# SPDX-License-Identifier: MIT
"""A run as Markdown, for a CI server's page of a job: the findings, and how to repeat them.

GitHub shows at most 1 MiB of a step's summary and nothing at all of a longer one, so what does not fit is left out and
counted. https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands#step-isolation-and-limits
Whatever guests or users wrote is in code spans and blocks, where nothing is interpreted.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from harness.compare import Verdict
from harness.counting import counted
from harness.lane import compact
from harness.report import coverage, executed
from harness.report.account import REASON, decided, excerpt, finding, text_of
from harness.report.gfm import block, cell, code, line
from harness.report.groups import FOLDED, Group, grouped
from harness.report.programs import Table, tables
from harness.report.programs import cell as fared
from harness.run.executed import Executed
from harness.run.results import MachineReport, RunReport
from harness.script.brief import brief

LIMIT = 1 << 20
"""Bytes of UTF-8."""
_WHOLE = 20  # findings that are shown with their script and its programs
_NAMES = 8  # scripts, or lanes, that are named one by one
_LINKED = re.compile(r"(?P<reason>.*) \((?P<link>https?://[^\s()<>|\\]+)\)", re.DOTALL)
"""The form of a known divergence's reason."""
_LEFT_OUT = "\n{} more do not fit here; report.html has them.\n"
_TITLES = {0: "as predicted", 1: "not as predicted", 3: "the bench or a machine failed, or nothing was judged"}


@dataclass(frozen=True)
class _Section:
    """Pieces of which only some may fit, and the text around them."""

    opening: str
    pieces: Sequence[str]
    closing: str = ""

    @property
    def frame(self) -> int:
        """Bytes of what is there in any case, the line on pieces left out among it."""
        return _size(self.opening) + _size(self.closing) + _size(_LEFT_OUT.format(len(self.pieces)))


def render(report: RunReport, limit: int = LIMIT) -> str:
    """The summary, at most `limit` bytes long unless what frames its findings alone is longer."""
    groups = grouped(report)
    head, kernels = _head(report), _kernels(report.machines)
    sections = [_programs(table) for table in tables(report.checked)]
    if report.executed:
        sections.append(_Section("\n### Commands\n", [_executed(one) for one in report.executed]))
    if grave := [group for group in groups if group.verdict not in FOLDED]:
        told_ones = [_group(report, group, whole=number < _WHOLE) for number, group in enumerate(grave)]
        sections.append(_Section("\n### Not as predicted\n", told_ones))
    for verdict, title in FOLDED.items():
        if rows := [_row(group) for group in groups if group.verdict is verdict]:
            opening = _opening(f"{title}: {counted(report.counts()[verdict], 'result')}", "scripts", "lanes", "reason")
            sections.append(_Section(opening, rows, _CLOSING))
    if report.coverage:
        covered = [line(map(cell, row)) + "\n" for row in coverage.rows(report.coverage)]
        sections.append(_Section(_opening("Coverage", *coverage.HEADINGS), covered, _CLOSING))
    room = limit - _size(head) - _size(kernels) - sum(section.frame for section in sections)
    told = [head]
    for section in sections:
        pieces, room = _fitting(section.pieces, room)
        told += [section.opening, *pieces, section.closing]
    return "".join([*told, kernels])


def _title(report: RunReport) -> str:
    if report.interrupted:
        return "interrupted, not complete"
    title = _TITLES[replace(report, broken=()).exit_status]
    return f"{title}, not what was demanded" if report.broken else title


def _head(report: RunReport) -> str:
    counts = report.counts()
    unpredicted = report.unpredicted
    given = [verdict for verdict in Verdict if counts[verdict]]
    columns = ["lane", "scripts", *map(str, given), *(["operations unpredicted"] if unpredicted else [])]
    lines = [
        f"## {report.title}: {_title(report)}",
        "",
        f"{code(shlex.join(('hil', *report.command[1:])))}: {counted(report.counts().total(), 'result')} "
        f"in {report.seconds:.0f} s, "
        f"{report.started.replace('T', ' ').replace('+00:00', ' UTC')}, hil {code(report.host.get('hil', 'unknown'))}",
        "",
        line(columns),
        line(["---", *["--:"] * (len(columns) - 1)]),
    ]
    for lane in report.lanes:
        counts = report.counts(lane)
        cells = [str(counts.total()), *(str(counts[verdict] or "") for verdict in given)]
        lines.append(line([cell(lane), *cells, *([str(unpredicted[lane])] if unpredicted else [])]))
    lines += [piece for remark in report.remarks for piece in ("", code(remark))]
    if report.unjudged:
        lines += ["", f"Neither the model, a clause nor another lane says what {len(report.unjudged)} operations give."]
    return "\n".join(lines) + "\n"


def _group(report: RunReport, group: Group, *, whole: bool) -> str:
    """Returns the verdict, scripts and lanes of a group, and of its first script: what is not as predicted, the command
    that repeats it, and the script with its programs."""
    first = group.results[0]
    text = text_of(report, first)
    alone = f": {code(text.sentence)}" if text and text.sentence and len(group.scripts) == 1 else ""
    if alone and (source := decided(text)):
        alone += f", decided in [{code(source.text)}]({source.link})"
    scripts, lanes = _names(group.scripts, "script"), _names(compact(group.lanes), "lane")
    told = (
        f"\n**{group.verdict}** {scripts} on {lanes}{alone}\n\n"
        f"{block(chr(10).join(finding(first)), 'text')}\n{block(group.again(report), 'sh')}"
    )
    if not (text and first.operations and whole):
        return told
    listed = "\n".join(brief(line) for line in excerpt(text, first))
    return f"{told}\n<details><summary>script and programs</summary>\n\n{block(listed, 'text')}{_CLOSING}"


def _programs(table: Table) -> _Section:
    """A table of the programs of a user's object by lane, and the reasons for what did not load or attach."""
    columns = ["program", "section", *map(cell, table.lanes)]
    head = f"\n### {code(table.object)}\n\n{line(columns)}\n{line(['---'] * len(columns))}\n"
    rows = [
        line([cell(row.program), cell(row.section), *(cell(fared(one)) for one in row.cells)]) + "\n"
        for row in table.rows
    ]
    reasons = [f"\n{code(one.heading)}\n\n{block(chr(10).join(one.lines), 'text')}" for one in table.reasons]
    return _Section(head, [*rows, *reasons, *(f"\n{code(note)}\n" for note in table.notes)])


def _executed(one: Executed) -> str:
    """How a user's command fared on a lane."""
    return f"\n{code(executed.heading(one))}\n\n{block(chr(10).join(executed.lines(one)), 'text')}"


def _row(group: Group) -> str:
    scripts, lanes = _names(group.scripts, "script"), _names(compact(group.lanes), "lane")
    linked = _LINKED.fullmatch(group.reason)
    why = f"{cell(linked['reason'])} <{linked['link']}>" if linked else cell(brief(group.reason, REASON))
    return line([scripts, lanes, why]) + "\n"


def _kernels(machines: Iterable[MachineReport]) -> str:
    rows = [
        line(
            [
                cell(f"{machine.kernel}/{machine.arch}"),
                cell(machine.uname or "did not boot"),
                cell(str((machine.provenance.get("sha256") or {}).get("image", "unknown"))[:16]),
                cell(machine.qemu_version or "not started"),
            ]
        )
        for machine in machines
    ]
    return _opening("Kernels", "machine", "uname", "image, sha256", "QEMU") + "\n".join(rows) + "\n" + _CLOSING


def _opening(summary: str, *columns: str) -> str:
    return f"\n<details><summary>{summary}</summary>\n\n{line(columns)}\n{line(['---'] * len(columns))}\n"


_CLOSING = "\n</details>\n"


def _fitting(pieces: Sequence[str], room: int) -> tuple[list[str], int]:
    """Returns as many of the pieces as fit, with a line on those left out; and the room that is left."""
    kept, left = list(pieces), room - sum(map(_size, pieces))
    while kept and left < 0:
        left += _size(kept.pop())
    if len(kept) < len(pieces):
        kept.append(_LEFT_OUT.format(len(pieces) - len(kept)))
    return kept, left


def _names(names: Sequence[str], noun: str) -> str:
    more = f" and {counted(len(names) - _NAMES, f'more {noun}')}" if len(names) > _NAMES else ""
    return ", ".join(map(cell, names[:_NAMES])) + more


def _size(text: str) -> int:
    return len(text.encode())
