"""`hil run`: the main job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from harness.core_scripts import KNOWN, core_scripts
from harness.counting import counted
from harness.lane import Lane, all_lanes, listed, select
from harness.report.terminal import tell
from harness.run import known, matrix, points
from harness.run.artifacts import Unwritten
from harness.run.choice import Choice, choose
from harness.run.demands import NO_DEMANDS, Demands
from harness.run.plan import Share, shares
from harness.run.results import RunReport
from harness.run.watch import LiveTable, Plain, verdicts
from harness.script.operations import Script
from hil import directories, signals, terminal
from hil.arch import architecture
from hil.errors import UserError
from hil.kernels import store

DEFAULT_LANES = "debian-12"


repeat = click.option(
    "--repeat", "rounds", default=1, show_default=True, type=click.IntRange(1), help="Rounds over all of it."
)
"""Of every command whose scripts can be repeated; one that differs from round to round is flaky, and fails the run."""
require_predicted = click.option(
    "--require-predicted", is_flag=True, help="Fail when neither the model nor a clause says what an operation gives."
)
strict = click.option(
    "--strict", is_flag=True, help="The same, and when an operation fails though nobody said that it should."
)


@click.command()
@click.option("--lanes", help=f"KERNEL/ARCH/ENGINE patterns, separated by commas; {DEFAULT_LANES} if there are none.")
@click.option("--kernel", "kernels", multiple=True, help="All lanes of a kernel. Repeatable.")
@click.option("--scripts", "patterns", default="*", show_default=True, help="Only scripts with such names, by commas.")
@click.option("--jobs", type=click.IntRange(1), help="Machines at once; by default one a CPU.")
@click.option("--require", multiple=True, help="A kernel whose lanes must not be unsupported. Repeatable.")
@require_predicted
@strict
@repeat
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Where the run folder is made.")
@click.option("--list", "listing", is_flag=True, help="List lanes and scripts, run nothing.")
def run(
    lanes: str | None,
    kernels: tuple[str, ...],
    patterns: str,
    jobs: int | None,
    require: tuple[str, ...],
    require_predicted: bool,
    strict: bool,
    rounds: int,
    output: Path | None,
    listing: bool,
) -> int:
    """Boot the lanes' kernels, run the core scripts, and hold each result against the model."""
    console = terminal.console()
    wanted = [*(() if lanes is None else listed(lanes)), *kernels] or [DEFAULT_LANES]
    chosen = choose(select(wanted, known_lanes(wanted)), _scripts, patterns, "script", list)
    check_chosen(require, chosen)
    tell_left_out(console, chosen)
    plan = shares(chosen.lanes, lambda *place: chosen.of[place], known.read(KNOWN), rounds)
    if listing:
        list_plan(console, plan)
        return 0
    demands = Demands(require, predicted=require_predicted or strict, expected=strict)
    report = carry_out(console, plan, output, jobs, demands)
    meet(demands, report)
    return report.exit_status


def carry_out(
    console: Console, plan: Sequence[Share], output: Path | None, jobs: int | None, demands: Demands = NO_DEMANDS
) -> RunReport:
    """Run a plan before the user's eyes, into a new run folder, and sum it up. What does not meet `demands` is recorded
    in the report; whoever calls ends with it (`meet`)."""
    signals.hold()  # until somebody is there to leave something in the folder
    folder = matrix.make_folder(output or directories.state() / "runs")
    try:
        if terminal.interactive(console):
            with LiveTable(console, tuple(plan)) as table:
                report = matrix.run(plan, folder, table, jobs=jobs, demands=demands)
        else:
            report = matrix.run(plan, folder, Plain(console), jobs=jobs, demands=demands)
    except Unwritten as error:
        summarize(console, error.report, folder)  # all the more
        raise
    except (KeyboardInterrupt, SystemExit):
        console.print(f"the run is not complete; run folder: {folder}", highlight=False, soft_wrap=True)
        raise
    summarize(console, report, folder)
    return report


def known_lanes(patterns: Iterable[str] = ()) -> tuple[Lane, ...]:
    """Every lane of the catalogue, and of the kernels the user imported; and those lanes of point releases that
    patterns ask for by a version, which no others match."""
    return (*all_lanes((name, arch.name) for name, arch in store.names()), *points.asked_for(patterns))


def summarize(console: Console, report: RunReport, folder: Path) -> None:
    """Print the table of lanes, every result that is no agreement, and where the rest is."""
    if report.interrupted:
        console.print("the run was interrupted: it is not complete", style="bold magenta")
    for machine in report.machines:
        if machine.uname:
            console.print(f"{machine.kernel}/{machine.arch}: {machine.uname}", highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("lane", no_wrap=True)
    table.add_column("scripts", justify="right")
    table.add_column("verdicts")
    unpredicted = Counter(result.lane for result in report.results for _ in result.unpredicted)
    if unpredicted:
        table.add_column("unpredicted", justify="right")
    for lane in report.lanes:
        counts = report.counts(lane)
        row = lane, str(counts.total()), verdicts(counts)
        table.add_row(*row, str(unpredicted[lane])) if unpredicted else table.add_row(*row)
    console.print(table)
    tell(console, report, folder)
    for remark in report.remarks:
        console.print(remark, highlight=False, soft_wrap=True)
    if unpredicted:
        said = f"the model has no rule for {counted(unpredicted.total(), 'operation')}"
        alone = len(report.unjudged)
        rest = f"no clause a word for {alone} of them: see report.html" if alone else "a clause has a word for each"
        console.print(f"{said}, and {rest}", soft_wrap=True)
    console.print(
        f"{counted(len(report.results), 'result')} in {report.seconds:.0f} s; run folder: {folder}", soft_wrap=True
    )


def _scripts(kernel: str, arch: str) -> dict[str, Script]:
    return {script.name: script for script in core_scripts(arch, store.era(kernel, architecture(arch)))}


def list_plan(console: Console, plan: Sequence[Share]) -> None:
    for share in plan:
        for lane in share.lanes:
            console.print(str(lane), highlight=False)
    for name, sentence in {script.name: script.sentence for share in plan for script in share.scripts}.items():
        console.print(f"  {name}: {sentence}", highlight=False, soft_wrap=True)


def tell_left_out(console: Console, chosen: Choice[Any]) -> None:
    """Name the lanes that nothing of what was chosen is for, so that nobody takes them for run."""
    for lane in chosen.without:
        console.print(f"{lane}: left out, nothing that was chosen is for it", highlight=False, soft_wrap=True)


def check_chosen(require: Sequence[str], chosen: Choice[Any]) -> None:
    """UserError for a required kernel that has no lane in this run, or nothing to run on one of its lanes."""
    for lane in chosen.without:
        if lane.kernel in require:
            raise UserError(f"--require {lane.kernel}: nothing that was chosen is for {lane}", remedy="choose more")
    for kernel in require:
        if kernel not in {lane.kernel for lane in chosen.lanes}:
            raise UserError(f"--require {kernel}: no lane of it was chosen", remedy="add it to --lanes")


def meet(demands: Demands, report: RunReport) -> None:
    """BenchError for the first demand that a run does not meet."""
    for broken in demands.broken(report).values():
        raise broken
