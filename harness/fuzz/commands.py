# SPDX-License-Identifier: MIT
"""`hil fuzz`: random programs and scripts, on real kernels and in the model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import click
from click.core import ParameterSource
from rich.console import Console

from harness.fuzz.campaign import merging, plan
from harness.fuzz.campaign.plan import Campaign, Place
from harness.fuzz.campaign.progress import progress
from harness.fuzz.campaign.reporting import reported
from harness.fuzz.campaign.running import run
from harness.fuzz.campaign.totals import Totals
from harness.fuzz.campaign.work import GENERATORS, share_of
from harness.fuzz.finding.files import read as read_finding
from harness.jobs.options import chosen_places, cold, jobs, lanes, on_divergence, output, target
from harness.jobs.start import carry_out
from harness.lane import Engine, listed
from harness.run.matrix import make_folder
from harness.run.places import Places
from harness.run.results import RunReport
from hil import directories, terminal
from hil.arch import architecture
from hil.digest import sha256
from hil.errors import UserError
from hil.kernels import store

_FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


_CASES = frozenset({"seed", "of", "count", "only", "shard"})
_IGNORED = {
    "replay": _CASES | {"minutes", "resume", "merge"},
    "merge": _CASES | {"minutes", "resume", "lanes", "jobs"},
    "resume": _CASES | {"lanes"},
}
"""The options that are not heeded beside one that says what is run."""
_DASHED = {
    **{name: f"--{name}" for name in (*_CASES, "minutes", "resume", "merge", "lanes", "jobs")},
    "count": "--cases",
    "only": "--case",
}


class _Shard(click.ParamType[tuple[int, int]]):
    """`2/4`: the second of four."""

    name = "I/N"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        shard, _, shards = str(value).partition("/")
        if not (shard.isdecimal() and shards.isdecimal() and 1 <= int(shard) <= int(shards)):
            self.fail(f"{value!r} is not I/N with I from 1 to N: write 2/4 for the second of four", param, ctx)
        return int(shard), int(shards)


@click.command()
@lanes
@click.option("--seed", type=click.IntRange(0), help="The seed of the cases; drawn when none is given.")
@click.option(
    "--of", type=click.Choice(list(GENERATORS)), default="programs", show_default=True, help="What is random."
)
@click.option("--cases", "count", default=1000, show_default=True, type=click.IntRange(1), help="Cases for each lane.")
@click.option("--case", "only", type=click.IntRange(0), help="The case of this number alone.")
@click.option("--minutes", type=click.FloatRange(0, min_open=True), help="Begin nothing after so many minutes.")
@click.option("--shard", type=_Shard(), default="1/1", help="The I-th of N parts of the cases, for as many hosts.")
@click.option("--resume", type=_FOLDER, metavar="FOLDER", help="Go on with the campaign in a run folder.")
@click.option("--merge", type=_FOLDER, metavar="FOLDER", multiple=True, help="Make one campaign of several shards.")
@click.option("--replay", type=_FILE, metavar="FILE", multiple=True, help="Run findings again: files of a campaign.")
@jobs
@cold
@output
@on_divergence
@target
def fuzz(
    lanes: str,
    seed: int | None,
    of: str,
    count: int,
    only: int | None,
    minutes: float | None,
    shard: tuple[int, int],
    resume: Path | None,
    merge: tuple[Path, ...],
    replay: tuple[Path, ...],
    jobs: int | None,
    on_divergence: str | None,
    output: Path | None,
    **_: object,
) -> int:
    """Run random programs, or scripts of random operations, on the lanes' kernels and in the model; or have programs
    near the edge of what verifiers accept loaded, 25 a case. A case in which they differ is listed.

    Everything is recorded in the run folder as it is found: `--resume` goes on after whatever ended it. The exit
    status is that of `hil run`.
    """
    console = terminal.console()
    _check_together()
    if replay:
        return _replay(replay, lanes, jobs, output, console, on_divergence)
    if on_divergence is not None:
        raise UserError(
            "--on-divergence is for few cases, and a campaign has many",
            remedy="replay what it finds: hil fuzz --replay FILE --on-divergence lockstep",
        )
    if merge:
        folder = make_folder(output or directories.state() / "runs")
        campaign = merging.merge(merge, folder)
        totals = Totals(campaign.lanes)
        return reported(console, campaign, folder, totals, lambda: merging.add(campaign, folder, totals)).exit_status
    if resume is not None:
        campaign = plan.read(resume)
        places = chosen_places(campaign.lanes, console)
        _same(campaign, places, resume)
        folder = resume
    else:
        if only is not None and seed is None:
            raise UserError(f"--case {only} needs a seed", remedy="give --seed, too")
        places = chosen_places(listed(lanes), console)
        seed = SystemRandom().randrange(1 << 32) if seed is None else seed
        first, count = (0, count) if only is None else (only, 1)
        campaign = Campaign(of, seed, first, count, _places(places, console), *shard, generator=plan.generator())
        folder = make_folder(output or directories.state() / "runs")
        campaign.write(folder)
    console.print(f"seed {campaign.seed}; run folder: {folder}", highlight=False, soft_wrap=True)
    totals = Totals(campaign.lanes)

    def run_rest() -> None:
        with progress(console, campaign.cases) as tell:
            run(
                campaign,
                folder,
                jobs or os.cpu_count() or 1,
                tell,
                totals=totals,
                board=places.board,
                minutes=minutes,
            )

    report = reported(console, campaign, folder, totals, run_rest)
    for line in paces(report):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if totals.cases < campaign.cases:
        console.print(f"{totals.cases} of {campaign.cases} cases; to go on: hil fuzz --resume {folder}", soft_wrap=True)
    return report.exit_status


def _check_together() -> None:
    """Raises UserError for an option on the command line that the one which decides what is run would ignore."""
    context = click.get_current_context()
    given = [name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    for name, others in _IGNORED.items():
        if name in given and (ignored := [_DASHED[other] for other in given if other in others]):
            raise UserError(f"--{name} does not go with {', '.join(ignored)}", remedy="leave one of them out")


def _replay(
    files: Sequence[Path],
    lanes: str,
    jobs: int | None,
    output: Path | None,
    console: Console,
    on_divergence: str | None,
) -> int:
    """Runs the scripts of findings on the lanes that were chosen, or on those they were seen on."""
    findings = [read_finding(path) for path in files]
    context = click.get_current_context()
    chosen = context.get_parameter_source("lanes") is ParameterSource.COMMANDLINE
    wanted = listed(lanes) if chosen else list(dict.fromkeys(lane for one in findings for lane in one.lanes))
    places = chosen_places(wanted, console)
    scripts = tuple(dict.fromkeys(one.script for one in findings))
    plan = tuple(share_of(place, scripts, places.board) for place in _places(places, console))
    return carry_out(console, plan, output, jobs, on_divergence=on_divergence).exit_status


def _places(places: Places, console: Console) -> tuple[Place, ...]:
    """The places of a new campaign; kernels are fetched."""
    engines: dict[tuple[str, str], list[Engine]] = {}
    for lane in places.lanes:
        engines.setdefault((lane.kernel, lane.arch), []).append(lane.engine)
    return tuple(
        Place(kernel, arch, tuple(chosen), places.era(kernel, arch), _identity(places, kernel, arch, console))
        for (kernel, arch), chosen in engines.items()
    )


def _identity(places: Places, kernel: str, arch: str, console: Console) -> str:
    if places.board:
        return f"{places.board.kernel.release} {places.board.kernel.version}"
    said = store.get(kernel, architecture(arch), notify=lambda line: console.print(line, highlight=False))
    return f"{said.version} {sha256(said.image)}"


def _same(campaign: Campaign, places: Places, folder: Path) -> None:
    """Raises UserError where what is left of a campaign would be another campaign."""
    remedy = "start a new campaign, with another seed to learn more"
    if campaign.generator != plan.generator():
        raise UserError(
            f"this hil makes other cases than the one that began {folder}", remedy=f"use that one, or {remedy}"
        )
    now = {str(place): place for place in _places(places, terminal.console())}
    for place in campaign.places:
        if replace(place, identity="") != replace(now.get(str(place), place), identity=""):
            raise UserError(f"{place} is judged by other rules than when {folder} was begun", remedy=remedy)
        if str(place) in now and now[str(place)].identity != place.identity:
            raise UserError(f"{place} is another kernel than when {folder} was begun", remedy=remedy)


def paces(report: RunReport) -> Iterator[str]:
    """Yields the speed of each lane, by the guest's clock, that is without boot, transport and model."""
    for lane in report.lanes:
        took = [result.seconds for result in report.results if result.lane == lane and result.seconds]
        tallies = [tally for tally in report.tallies if tally.lane == lane and tally.seconds]
        seconds = sum(took) + sum(tally.seconds for tally in tallies)
        if seconds:
            number = len(took) + sum(sum(tally.verdicts.values()) for tally in tallies)
            yield f"{lane}: {number / seconds:.0f} cases/s in the guest"
    yield f"{report.counts().total() / report.seconds:.1f} cases/s with everything"
