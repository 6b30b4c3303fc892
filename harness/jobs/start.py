# SPDX-License-Identifier: MIT
"""Starting a run, and summing it up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from harness.jobs.artifacts import EVERYTHING
from harness.report.summary import summarize
from harness.run import matrix
from harness.run.artifacts import Unwritten
from harness.run.demands import NO_DEMANDS, Demands
from harness.run.examining import in_lockstep
from harness.run.matrix import Complete, Examine
from harness.run.plan import Share
from harness.run.results import RunReport
from harness.run.watch import LiveTable, Plain, Watch
from harness.run.worker import After
from hil import directories, signals, terminal

EXAMINE: Mapping[str | None, Examine] = {None: lambda workers, folder: None, "lockstep": in_lockstep}
"""What is done about scripts that diverged, by the values of `--on-divergence`."""


def carry_out(
    console: Console,
    plan: Sequence[Share],
    output: Path | None,
    jobs: int | None,
    demands: Demands = NO_DEMANDS,
    *,
    after: After | None = None,
    complete: Complete = lambda report: report,
    on_divergence: str | None = None,
) -> RunReport:
    """Runs a plan with its progress on the terminal, into a new run folder, and sums it up. Demands that are not met
    are recorded in the report; the caller ends with them (`Demands.check`). `after` and `complete` as in
    `harness.run.matrix.run`; `on_divergence` is a key of `EXAMINE`."""

    def run(folder: Path, watch: Watch) -> RunReport:
        return matrix.run(
            plan,
            folder,
            watch,
            jobs=jobs,
            demands=demands,
            artifacts=EVERYTHING,
            after=after,
            complete=complete,
            examine=EXAMINE[on_divergence],
        )

    return with_progress(console, plan, output, run)


def with_progress(
    console: Console, plan: Sequence[Share], output: Path | None, run: Callable[[Path, Watch], RunReport]
) -> RunReport:
    """Calls `run` with a new run folder and whatever shows the progress of `plan`, and sums up what it returns."""
    signals.defer()  # until there is something that can be left in the folder
    folder = matrix.make_folder(output or directories.state() / "runs")
    try:
        if terminal.interactive(console):
            with LiveTable(console, tuple(plan)) as table:
                report = run(folder, table)
        else:
            with Plain(console, tuple(plan)) as lines:
                report = run(folder, lines)
    except Unwritten as error:
        summarize(console, error.report, folder)  # an interrupted run needs it most
        raise
    except (KeyboardInterrupt, SystemExit):
        console.print(f"the run is not complete; run folder: {folder}", highlight=False, soft_wrap=True)
        raise
    summarize(console, report, folder)
    return report
