# SPDX-License-Identifier: MIT
"""`hil compare` and `hil baseline`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from harness.history.find import find
from harness.jobs import completing
from harness.regress import baseline as known
from harness.regress.change import Change, Kind, changes, judged_nothing, ordered, trouble
from harness.regress.differences import Difference, differences
from harness.regress.showing import as_json, show
from harness.regress.side import Side, as_kernel, lanes, one_lane, whole
from harness.regress.timing import slower
from harness.run.results import RunReport
from hil import terminal
from hil.errors import UserError

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN-A [RUN-B]", shell_complete=completing.run)
@click.option("--lane", "patterns", multiple=True, help="Of two runs: only these lanes. Of one: the two to compare.")
@click.option("--against", help="Of two runs: the lanes of RUN-B, of one kernel, whatever that is called in RUN-A.")
@click.option("--baseline", type=_FILE, help="A file of known divergences; see `hil baseline`.")
@click.option("--slower-fails", is_flag=True, help="Count what became slower as worse.")
@click.option("--json", "as_data", is_flag=True, help="Print JSON for scripts.")
def compare(
    runs: tuple[str, ...],
    patterns: tuple[str, ...],
    against: str | None,
    baseline: Path | None,
    slower_fails: bool,
    as_data: bool,
) -> int:
    """Compare two runs, two lanes of a run, or a run with a baseline.

    A run is a number of `hil history list`, `latest`, a run folder or a results.json. The exit status is 0 when nothing
    is worse, 1 when something is.
    """
    entries = known.read(baseline) if baseline else ()
    reports = [find(run).report for run in runs]
    excused = [known.excused(report, entries) for report in reports]
    found: tuple[Change, ...]
    facts: tuple[Difference, ...] = ()
    if against is not None and len(reports) != 2:
        raise UserError("--against compares two runs", remedy="give two runs, or --lane twice for one")
    if len(reports) == 2:
        before = whole(excused[0], patterns)
        after = whole(excused[1], patterns) if against is None else _renamed(excused[1], against, before)
        found, facts = _compared(before, after)
    elif len(reports) == 1 and len(patterns) == 2:
        name = " -> ".join(patterns)
        before, after = (one_lane(excused[0], pattern, name) for pattern in patterns)
        found, facts = _compared(before, after)
    elif len(reports) == 1 and baseline and not patterns:
        after = whole(excused[0])
        found = trouble(after)
    else:
        raise UserError(
            "there is nothing to compare with",
            remedy="give two runs, or a run with two --lane, or a run with --baseline",
        )
    if entries:
        found = ordered((*found, *known.unused(_only(reports[-1], patterns), entries)))
    compared = len(after.seen)
    if as_data:
        click.echo(as_json(found, facts, compared))
    else:
        show(terminal.console(), found, facts, compared)
    return int(any(change.worse or (slower_fails and change.kind is Kind.SLOWER) for change in found))


@click.command()
@click.argument("run", shell_complete=completing.run)
@click.option("--reason", default="", help="Why the divergences are known; the same for all that are new.")
@click.option("--link", default="", help="Where they are followed up.")
@click.option("--keep", type=_FILE, help="An earlier baseline: what it says of divergences still there is kept.")
def baseline(run: str, reason: str, link: str, keep: Path | None) -> None:
    """Print a baseline of RUN's divergences, for `hil compare --baseline`.

    Every entry needs a reason and a link; fill in what is left empty, and keep the file with your sources.
    """
    entries = known.draft(find(run).report, reason, link, known.read(keep, complete=False) if keep else ())
    click.echo(known.text(entries), nl=False)
    if missing := sum(not (entry.reason and entry.link) for entry in entries):
        click.echo(f"hil: {missing} entries need a reason and a link before the file can be used", err=True)


def _renamed(report: RunReport, pattern: str, before: Side) -> Side:
    """The lanes of `report` that match, under the name that the kernel has in `before`."""
    kernels = {lane.partition("/")[0] for lane in before.lanes}
    if len(kernels) != 1:
        raise UserError(
            f"RUN-A has the kernels {', '.join(sorted(kernels))}", remedy="choose lanes of one of them with --lane"
        )
    return as_kernel(whole(report, (pattern,)), kernels.pop())


def _compared(before: Side, after: Side) -> tuple[tuple[Change, ...], tuple[Difference, ...]]:
    found = (*changes(before, after), *judged_nothing(after), *slower(before, after))
    return ordered(found), differences(before, after)


def _only(report: RunReport, patterns: tuple[str, ...]) -> RunReport:
    """The part of the run that was compared: entries about the rest are neither used nor stale."""
    if not patterns:
        return report
    chosen = lanes(report, patterns)
    return replace(report, results=tuple(result for result in report.results if result.lane in chosen))
