# SPDX-License-Identifier: MIT
"""`hil run`: the main job."""

from __future__ import annotations

from pathlib import Path

import click

from harness.core_scripts import KNOWN, core_scripts
from harness.jobs import completing
from harness.jobs.listing import list_plan, print_left_out
from harness.jobs.options import chosen_places, lanes, of_a_run, wanted_lanes
from harness.jobs.start import carry_out
from harness.run import known
from harness.run.choice import check_chosen, choose
from harness.run.demands import Demands
from harness.run.plan import shares
from harness.script.operations import Script
from hil import terminal


@click.command()
@lanes
@click.option(
    "--kernel", "kernels", multiple=True, shell_complete=completing.kernel, help="All lanes of a kernel. Repeatable."
)
@click.option(
    "--scripts",
    "patterns",
    metavar="NAME,...",
    default="*",
    show_default=True,
    shell_complete=completing.scripts,
    help="Only scripts that match one of these names; --list lists them.",
)
@of_a_run
@click.option("--list", "listing", is_flag=True, help="List lanes and scripts, run nothing.")
def run(
    lanes: str,
    kernels: tuple[str, ...],
    patterns: str,
    jobs: int | None,
    require: tuple[str, ...],
    require_predicted: bool,
    strict: bool,
    rounds: int,
    on_divergence: str | None,
    output: Path | None,
    listing: bool,
    **_: object,
) -> int:
    """Boot the lanes' kernels, run the core scripts, and compare each result with the model."""
    console = terminal.console()
    places = chosen_places(wanted_lanes(lanes, kernels), console)

    def scripts(kernel: str, arch: str) -> dict[str, Script]:
        return {script.name: script for script in core_scripts(arch, places.era(kernel, arch))}

    chosen = choose(places.lanes, scripts, patterns, "script", list)
    check_chosen(require, chosen)
    print_left_out(console, chosen)
    plan = shares(chosen.lanes, lambda *place: chosen.of[place], known.read(KNOWN), rounds, board=places.board)
    if listing:
        list_plan(console, plan)
        return 0
    demands = Demands(require, predicted=require_predicted or strict, expected=strict)
    report = carry_out(console, plan, output, jobs, demands, on_divergence=on_divergence)
    demands.check(report)
    return report.exit_status
