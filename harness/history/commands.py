# SPDX-License-Identifier: MIT
"""`hil history`: earlier runs, and their export."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path

import click

from harness.history import kcidb, ktap
from harness.history.find import find
from harness.history.store import Entry, History
from harness.jobs import completing
from harness.report import junit, plot
from harness.report.summary import summarize
from harness.run.document import document
from harness.run.results import RunReport
from harness.run.watch import verdicts
from hil import terminal
from hil.errors import UserError
from hil.help import Group
from hil.whole import write_whole

_FORMATS: dict[str, Callable[[RunReport], str]] = {
    "json": lambda report: json.dumps(document(report), indent=1),
    "junit": junit.text,
    "ktap": ktap.text,
    "kcidb": lambda report: json.dumps(kcidb.document(report), indent=1),
}

_HEADINGS = ("run", "started", "seconds", "exit", "lanes", "verdicts", "command")


@click.group(cls=Group)
def history() -> None:
    """See and export earlier runs. RUN is a number of the list, `latest`, a run folder or a results.json."""


@history.command("list")
@click.option(
    "--limit", default=20, show_default=True, type=click.IntRange(1, 1_000_000), help="At most so many, the newest."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")
def list_(limit: int, as_json: bool) -> None:
    """List the newest runs, newest first."""
    entries = History().entries(limit)
    if as_json:
        click.echo(json.dumps([_plain(entry) for entry in entries], indent=1))
        return
    rows = [
        (
            str(entry.id),
            entry.started,
            f"{entry.seconds:.0f}",
            f"{entry.exit_status} (interrupted)" if entry.interrupted else str(entry.exit_status),
            str(len(entry.lanes)),
            verdicts(entry.counts),
            shlex.join(("hil", *entry.command[1:])),
        )
        for entry in entries
    ]
    terminal.print_table(terminal.console(), _HEADINGS, rows, folding=("started", "verdicts", "command"))


@history.command("plot")
@click.option(
    "--limit", default=200, show_default=True, type=click.IntRange(1, 1_000_000), help="At most so many, the newest."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("history.html"),
    show_default=True,
    help="The file that is written.",
)
def plot_(limit: int, output: Path) -> None:
    """Draw the verdicts and the time of earlier runs as an HTML file, a plot for each command."""
    entries = History().entries(limit)
    if not entries:
        raise UserError(f"the history {History().path} has no run yet", remedy="run something, `hil run` for one")
    write_whole(output, plot.render(entries))
    click.echo(f"{len(entries)} runs: {output}")


@history.command()
@click.argument("run", shell_complete=completing.run)
def show(run: str) -> None:
    """Show a run: its kernels, its lanes, and every result that is no agreement."""
    found = find(run)
    console = terminal.console()
    report = found.report
    console.print(f"{found.name}: {report.started}, {shlex.join(('hil', *report.command[1:]))}", highlight=False)
    for machine in report.machines:
        hashes = machine.provenance.get("sha256") or {}
        image = hashes.get("image", "unknown")
        line = f"{machine.kernel}/{machine.arch}: image {image}, QEMU {machine.qemu_version or 'not started'}"
        console.print(line, highlight=False, soft_wrap=True)
    summarize(console, report, found.folder or Path("(gone)"))


@history.command()
@click.argument("run", shell_complete=completing.run)
@click.option("--format", "format_", type=click.Choice(sorted(_FORMATS)), default="json", show_default=True)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="A file instead of the terminal.")
def export(run: str, format_: str, output: Path | None) -> None:
    """Print a run in a format others read."""
    text = _FORMATS[format_](find(run).report)
    if output is None:
        click.echo(text.rstrip("\n"))
    else:
        write_whole(output, text.rstrip("\n") + "\n")


def _plain(entry: Entry) -> dict[str, object]:
    return {
        "run": entry.id,
        "started": entry.started,
        "seconds": entry.seconds,
        "exit_status": entry.exit_status,
        "interrupted": entry.interrupted,
        "folder": str(entry.folder),
        "command": list(entry.command),
        "lanes": list(entry.lanes),
        "verdicts": {str(verdict): count for verdict, count in entry.counts.items()},
    }
