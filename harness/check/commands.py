# SPDX-License-Identifier: MIT
"""`hil check`: programs of a user's objects on lanes."""

from __future__ import annotations

from pathlib import Path

import click

from harness.check.looking import Inspection
from harness.check.objects import objects
from harness.check.showing import print_checked
from harness.check.trying import trials
from harness.compare import Verdict
from harness.jobs.options import DEFAULT_LANES
from harness.jobs.start import carry_out
from harness.lane import listed, select
from harness.objects.kernel_facts import KernelFacts
from harness.run.checked import Answer
from harness.run.choice import known_lanes
from harness.run.plan import shares
from harness.script.needs import CPUS
from hil import terminal
from hil.arch import architecture
from hil.kernels import store


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--lanes", default=DEFAULT_LANES, show_default=True, help="KERNEL/ARCH/ENGINE patterns, by commas.")
@click.option(
    "--portable", is_flag=True, help="Set `version` to the kernel's, name system calls as it does, and say so."
)
@click.option("--jobs", type=click.IntRange(1), help="Machines at once; by default one for each CPU.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Where the run folder is made.")
def check(files: tuple[Path, ...], lanes: str, portable: bool, jobs: int | None, output: Path | None) -> int:
    """Try the programs of BPF object files on lanes: do they load, attach, fire, and leave the same in their maps?"""
    console = terminal.console()
    wanted = listed(lanes)
    chosen = select(wanted, known_lanes(wanted))
    named = tuple(objects(files))
    places = dict.fromkeys((lane.kernel, lane.arch) for lane in chosen)
    tried = {
        place: tuple(
            trials(
                named,
                KernelFacts.of(store.get(place[0], architecture(place[1]), notify=console.print), CPUS),
                translate=portable,
            )
        )
        for place in places
    }
    inspection = Inspection(tried)
    plan = shares(chosen, lambda *place: tuple(one.script for one in tried[place] if one.script))
    report = carry_out(console, plan, output, jobs, after=inspection.look, complete=inspection.complete)
    print_checked(console, report.checked)
    counts = report.counts()
    if report.interrupted or counts[Verdict.LOST] or counts[Verdict.ERROR]:
        return report.exit_status
    good = all(Answer.NO not in (one.loads, one.attaches, one.model, one.lanes) for one in report.checked)
    return 0 if good else 1
