"""`hil run`: the main job."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.compare import Verdict
from harness.essentials import KNOWN, essentials
from harness.lane import Lane, all_lanes, select
from harness.run import known, matrix
from harness.run.plan import Share, shares
from harness.run.results import RunReport
from harness.run.watch import STYLES, LiveTable, Plain, verdicts
from harness.script.operations import Script
from hil import directories
from hil.arch import architecture
from hil.errors import BenchError, UserError
from hil.kernels import store

DEFAULT_LANES = "debian-12"


@click.command()
@click.option("--lanes", help=f"KERNEL/ARCH/ENGINE patterns, separated by commas; {DEFAULT_LANES} if there are none.")
@click.option("--kernel", "kernels", multiple=True, help="All lanes of a kernel. Repeatable.")
@click.option("--scripts", "pattern", default="*", show_default=True, help="Only scripts whose names match.")
@click.option("--jobs", type=click.IntRange(1), help="Machines at once; by default one a CPU.")
@click.option("--require", multiple=True, help="A kernel whose lanes must not be unsupported. Repeatable.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Where the run folder is made.")
@click.option("--list", "listing", is_flag=True, help="List lanes and scripts, run nothing.")
def run(
    lanes: str | None,
    kernels: tuple[str, ...],
    pattern: str,
    jobs: int | None,
    require: tuple[str, ...],
    output: Path | None,
    listing: bool,
) -> int:
    """Boot the lanes' kernels, run the essential scripts, and hold each result against the model."""
    console = Console()
    wanted = [*(lanes.split(",") if lanes else ()), *kernels] or [DEFAULT_LANES]
    chosen = select(wanted, known_lanes())
    check_chosen(require, chosen)
    plan = shares(
        chosen,
        lambda kernel, arch: _scripts(store.era(kernel, architecture(arch)), arch, pattern),
        known.read(KNOWN),
    )
    if listing:
        list_plan(console, plan)
        return 0
    report = carry_out(console, plan, output, jobs)
    check_required(require, report)
    return report.exit_status


def carry_out(console: Console, plan: Sequence[Share], output: Path | None, jobs: int | None) -> RunReport:
    """Run a plan before the user's eyes, into a new run folder, and sum it up."""
    folder = matrix.make_folder(output or directories.state() / "runs")
    if console.is_terminal:
        with LiveTable(console, tuple(plan)) as table:
            report = matrix.run(plan, folder, table, jobs=jobs)
    else:
        report = matrix.run(plan, folder, Plain(console), jobs=jobs)
    summarize(console, report, folder)
    return report


def known_lanes() -> tuple[Lane, ...]:
    """Every lane of the catalogue, and of the kernels the user imported."""
    return all_lanes((name, arch.name) for name, arch in store.names())


def summarize(console: Console, report: RunReport, folder: Path) -> None:
    """Print the table of lanes, every result that is no agreement, and where the rest is."""
    for machine in report.machines:
        if machine.uname:
            console.print(f"{machine.kernel}/{machine.arch}: {machine.uname}", highlight=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    table.add_column("lane")
    table.add_column("scripts", justify="right")
    table.add_column("verdicts")
    for lane in report.lanes:
        counts = report.counts(lane)
        table.add_row(lane, str(counts.total()), verdicts(counts))
    console.print(table)
    told: set[str] = set()
    for result in report.results:
        if result.verdict is Verdict.AGREE or (result.operation is None and result.reason in told):
            continue
        told.add(result.reason)
        head = Text(f"{result.verdict}: {result.lane} {result.script}", style=STYLES[result.verdict])
        console.print(head, soft_wrap=True)
        console.print(Text(f"    {result.reason}"), soft_wrap=True)
    unpredicted = sum(len(result.unpredicted) for result in report.results)
    if unpredicted:
        console.print(f"{unpredicted} operations were unpredicted: the model has no rule for them (see results.json)")
    console.print(f"{len(report.results)} results in {report.seconds:.0f} s; run folder: {folder}", soft_wrap=True)


def _scripts(era: str, arch: str, pattern: str) -> tuple[Script, ...]:
    found = tuple(script for script in essentials(arch, era) if fnmatchcase(script.name, pattern))
    if not found:
        names = ", ".join(script.name for script in essentials(arch, era))
        raise UserError(f"no script matches {pattern!r}", remedy=f"choose from: {names}")
    return found


def list_plan(console: Console, plan: Sequence[Share]) -> None:
    for share in plan:
        for lane in share.lanes:
            console.print(str(lane), highlight=False)
    for name, sentence in {script.name: script.sentence for share in plan for script in share.scripts}.items():
        console.print(f"  {name}: {sentence}", highlight=False, soft_wrap=True)


def check_chosen(require: Sequence[str], chosen: Sequence[Lane]) -> None:
    """UserError for a required kernel that has no lane in this run."""
    for kernel in require:
        if kernel not in {lane.kernel for lane in chosen}:
            raise UserError(f"--require {kernel}: no lane of it was chosen", remedy="add it to --lanes")


def check_required(require: Sequence[str], report: RunReport) -> None:
    """BenchError for a lane of a required kernel that could carry nothing out."""
    for lane in report.lanes:
        kernel = lane.split("/")[0]
        results = [result for result in report.results if result.lane == lane]
        if kernel in require and all(result.verdict is Verdict.UNSUPPORTED for result in results):
            raise BenchError(f"{kernel} is required, but {lane} is unsupported: {results[0].reason}")
