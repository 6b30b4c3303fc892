# SPDX-License-Identifier: MIT
"""`hil fuzz`: random programs and scripts, on real kernels and in the model."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import SystemRandom

import click

from harness.core_scripts.parts import PRCTL
from harness.fuzz import verdicts
from harness.fuzz.generate import case
from harness.fuzz.known import known
from harness.fuzz.scripts import script
from harness.jobs.options import DEFAULT_LANES, chosen_places, cold, target
from harness.jobs.start import carry_out
from harness.lane import listed
from harness.model.eras import Era, era
from harness.run.again import target_options
from harness.run.known import KnownDivergence
from harness.run.plan import Share, on_board, shares
from harness.run.results import RunReport
from harness.script.operations import Script
from hil import terminal
from hil.errors import UserError

TOGETHER = 32
"""Cases that share a process: half as many again a second. A case that does not end has its neighbours run again."""

GENERATORS: dict[str, Callable[[int, int, Era], Script]] = {
    "programs": case,
    "scripts": script,
    "verdicts": verdicts.case,
}
"""The functions that make the case of a seed and a number, by what is random."""


@click.command()
@click.option("--lanes", default=DEFAULT_LANES, show_default=True, help="KERNEL/ARCH/ENGINE patterns, comma-separated.")
@click.option("--seed", type=click.IntRange(0), help="The seed of the cases; drawn when none is given.")
@click.option(
    "--of", type=click.Choice(list(GENERATORS)), default="programs", show_default=True, help="What is random."
)
@click.option("--cases", "count", default=1000, show_default=True, type=click.IntRange(1), help="Cases for each lane.")
@click.option("--case", "only", type=click.IntRange(0), help="The case of this number alone.")
@click.option("--jobs", type=click.IntRange(1), help="Machines at once; by default one for each CPU.")
@cold
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Where the run folder is made.")
@target
def fuzz(
    lanes: str,
    seed: int | None,
    of: str,
    count: int,
    only: int | None,
    jobs: int | None,
    output: Path | None,
    **_: object,
) -> int:
    """Run random programs, or scripts of random operations, on the lanes' kernels and in the model; or have programs
    near the edge of what verifiers accept loaded, 25 a case. A case in which they differ is listed.

    The exit status is that of `hil run`.
    """
    if only is not None and seed is None:
        raise UserError(f"--case {only} needs a seed", remedy="give --seed, too")
    console = terminal.console()
    places = chosen_places(listed(lanes), console)
    seed = SystemRandom().randrange(1 << 32) if seed is None else seed
    console.print(f"seed {seed}", highlight=False)

    def scripts(kernel: str, arch: str) -> tuple[Script, ...]:
        rules = era(places.era(kernel, arch), arch)
        numbers = range(count) if only is None else (only,)
        console.print(f"{kernel}/{arch}: making {len(numbers)} cases", highlight=False)
        return tuple(GENERATORS[of](seed, number, rules) for number in numbers)

    plan = tuple(
        replace(share, known=_known(share))
        for share in shares(places.lanes, scripts, together=TOGETHER, random=True, armed=(PRCTL,), board=places.board)
    )
    report = carry_out(console, plan, output, jobs)
    for line in paces(report):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    which = ["--cases", str(count)] if only is None else ["--case", str(only)]
    where = target_options(sys.argv) or ["--lanes", lanes]
    again = shlex.join(["hil", "fuzz", *where, "--of", of, "--seed", str(seed), *which])
    console.print(f"again: {again}", highlight=False, soft_wrap=True)
    return report.exit_status


def _known(share: Share) -> tuple[KnownDivergence, ...]:
    if share.board is None:
        return tuple(known(share.lanes, share.scripts))
    like = [replace(lane, kernel=share.board.like) for lane in share.lanes]
    return on_board(tuple(known(like, share.scripts)), share.board)


def paces(report: RunReport) -> Iterator[str]:
    """Yields the speed of each lane, by the guest's clock, that is without boot, transport and model."""
    for lane in report.lanes:
        took = [result.seconds for result in report.results if result.lane == lane and result.seconds]
        if took:
            yield f"{lane}: {len(took) / sum(took):.0f} cases/s in the guest"
    yield f"{len(report.results) / report.seconds:.1f} cases/s with everything"
