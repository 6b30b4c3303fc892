# SPDX-License-Identifier: MIT
"""`hil fuzz`: random programs and scripts, on real kernels and in the model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import SystemRandom
from tempfile import TemporaryFile

import click
from click.core import ParameterSource
from rich.console import Console

from harness.fuzz.campaign import merging, plan
from harness.fuzz.campaign.chosen import check_same, chosen
from harness.fuzz.campaign.plan import Campaign
from harness.fuzz.campaign.progress import progress
from harness.fuzz.campaign.reporting import reported
from harness.fuzz.campaign.running import Crew, run
from harness.fuzz.campaign.totals import Totals
from harness.fuzz.campaign.work import GENERATORS
from harness.jobs.options import chosen_places, cold, jobs, lanes, output, target
from harness.lane import listed
from harness.run.matrix import make_folder
from harness.run.results import RunReport
from hil import directories, terminal
from hil.errors import UserError

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


_CASES = frozenset({"seed", "of", "count", "only", "shard"})
_BOARD = frozenset({"target", "ssh_config", "target_config", "target_timeout"})
_IGNORED = {
    "merge": _CASES | _BOARD | {"minutes", "resume", "lanes", "jobs", "cold", "dask", "corpus"},
    "resume": _CASES | {"lanes", "output"},
    "only": frozenset({"count", "shard"}),
    "dask": _BOARD | {"jobs"},
}
"""The options that are not heeded beside one that says what is run, and where: a campaign goes on in its own folder,
and each worker of a cluster has as many guests as it says."""


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
@click.option(
    "--dask",
    metavar="SCHEDULER|FILE|local:N",
    help="Run on the workers of a dask cluster, or on N of this host: docs/fuzzing.md.",
)
@click.option(
    "--corpus",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Collect findings there, too: one of a class, of all campaigns.",
)
@jobs
@cold
@output
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
    dask: str | None,
    corpus: Path | None,
    jobs: int | None,
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
    if corpus is not None:
        _make_corpus(corpus)
    if merge:
        folder = make_folder(output or directories.state() / "runs")
        campaign = merging.merge(merge, folder)
        totals = Totals(campaign.lanes)
        report = reported(console, campaign, folder, totals, lambda: merging.add(campaign, folder, totals))
        _tell_what_is_left(console, campaign, folder, totals)
        return report.exit_status
    if resume is not None:
        campaign = plan.read(resume)
        places = chosen_places(campaign.lanes, console)
        check_same(campaign, places, resume, console)
        folder = resume
    else:
        if only is not None and seed is None:
            raise UserError(f"--case {only} needs a seed", remedy="give --seed, too")
        first, count = (0, count) if only is None else (only, 1)
        size = plan.RANGE if dask is None else plan.far_range(count)
        _check_shard(shard, count, size)
        places = chosen_places(listed(lanes), console)
        seed = SystemRandom().randrange(1 << 32) if seed is None else seed
        campaign = Campaign(
            of, seed, first, count, chosen(places, console), *shard, generator=plan.generator(), size=size
        )
        folder = make_folder(output or directories.state() / "runs")
        campaign.write(folder)
    console.print(f"seed {campaign.seed}; run folder: {folder}", highlight=False, soft_wrap=True)
    totals = Totals(campaign.lanes)

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    crew = None if dask is None else _cluster(dask, campaign, say)

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
                crew=crew,
                corpus=corpus,
                say=say,
            )

    report = reported(console, campaign, folder, totals, run_rest, limited=minutes is not None)
    for line in paces(report):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    _tell_what_is_left(console, campaign, folder, totals)
    return report.exit_status


def _tell_what_is_left(console: Console, campaign: Campaign, folder: Path, totals: Totals) -> None:
    if totals.cases < campaign.cases:
        console.print(f"{totals.cases} of {campaign.cases} cases; to go on: hil fuzz --resume {folder}", soft_wrap=True)


def _make_corpus(folder: Path) -> None:
    """Raises UserError for a folder that cannot be written, before hours of cases find something for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UserError(
            f"--corpus {folder} cannot be written: {error.strerror}", remedy="name a folder that can"
        ) from error


def _cluster(where: str, campaign: Campaign, say: Callable[[str], None]) -> Crew:
    """Raises UserError where dask is not installed."""
    try:
        from harness.fuzz.campaign.cluster import Cluster
    except ImportError as error:
        raise UserError(f"--dask needs dask.distributed: {error}", remedy="pip install 'hil[dask]'") from error

    return Cluster(where, campaign, tell=say)


def _check_together() -> None:
    """Raises UserError for an option on the command line that the one which decides what is run would ignore."""
    context = click.get_current_context()
    dashed = {str(one.name): max(one.opts, key=len) for one in context.command.params}
    given = [name for name in dashed if context.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    for name, others in _IGNORED.items():
        if name in given and (ignored := [dashed[other] for other in given if other in others]):
            raise UserError(f"{dashed[name]} does not go with {', '.join(ignored)}", remedy="leave one of them out")
    if {"dask", "cold"} <= set(given) and not context.params["dask"].startswith("local:"):
        raise UserError(
            "--cold is about this host's machines, those of --dask are on its workers",
            remedy="leave it out, and set HIL_COLD where the workers are started",
        )


def _check_shard(shard: tuple[int, int], count: int, size: int) -> None:
    """Raises UserError for a shard that nothing is left for."""
    ranges = -(-count // size)
    if shard[0] > ranges:
        those = f"shards 1 to {ranges} have" if ranges > 1 else "shard 1 has"
        raise UserError(
            f"{count} cases are {ranges} range{'s' * (ranges > 1)} of {size}: shard {shard[0]}/{shard[1]} has none",
            remedy=f"{those} all of them; for more hosts give every shard more --cases",
        )


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
