# SPDX-License-Identifier: MIT
"""A run's summary for a terminal: its lanes, all results but agreement, and where the reports are."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.counting import counted
from harness.report.coverage import print_covered
from harness.report.programs import print_checked
from harness.report.terminal import print_findings
from harness.run.results import RunReport
from harness.run.watch import verdicts


def summarize(console: Console, report: RunReport, folder: Path) -> None:
    """Prints the table of lanes, all results but agreement, and where the reports are."""
    if report.interrupted:
        console.print("the run was interrupted: it is not complete", style="bold magenta")
    for machine in report.machines:
        if machine.uname:
            console.print(f"{machine.kernel}/{machine.arch}: {machine.uname}", highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("lane", no_wrap=True)
    table.add_column("scripts", justify="right")
    table.add_column("verdicts")
    unpredicted = report.unpredicted
    if unpredicted:
        table.add_column("unpredicted", justify="right")
    for lane in report.lanes:
        counts = report.counts(lane)
        row = lane, str(counts.total()), verdicts(counts)
        table.add_row(*row, str(unpredicted[lane])) if unpredicted else table.add_row(*row)
    console.print(table)
    print_findings(console, report, folder)
    print_checked(console, report.checked)
    print_covered(console, report.coverage)
    for remark in report.remarks:
        console.print(remark, highlight=False, soft_wrap=True)
    if unpredicted:
        said = f"the model has no rule for {counted(unpredicted.total(), 'operation')}"
        alone = len(report.unjudged) + sum(tally.unjudged for tally in report.tallies)
        rest = (
            f"neither a clause nor another lane covers {alone} of them: see report.html"
            if alone
            else "other lanes or clauses cover each"
            if report.unsaid or report.tallies
            else "a clause covers each"
        )
        console.print(f"{said}, and {rest}", soft_wrap=True)
    console.print(
        f"{counted(report.counts().total(), 'result')} in {report.seconds:.0f} s; run folder: {folder}", soft_wrap=True
    )
