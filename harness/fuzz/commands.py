"""`hil fuzz`: programs nobody wrote, on real kernels and in the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import SystemRandom

import click

from harness.compare import Verdict
from harness.essentials.parts import PRCTL
from harness.fuzz import KNOWN
from harness.fuzz.generate import cases
from harness.isa.text import disassemble
from harness.lane import listed, select
from harness.model.eras import era
from harness.run import known
from harness.run.commands import DEFAULT_LANES, carry_out, known_lanes
from harness.run.plan import Share, shares
from harness.run.results import RunReport
from harness.script.operations import LoadProgram, Program, Script
from hil import terminal
from hil.arch import architecture
from hil.errors import UserError
from hil.kernels import store

TOGETHER = 32
"""Cases that share a process: half as many again a second. A case that does not end has its neighbours run again."""
MOST_LISTED = 5
"""Divergences with their programs; the rest is in results.json, and the seed makes them again."""


@click.command()
@click.option("--lanes", default=DEFAULT_LANES, show_default=True, help="KERNEL/ARCH/ENGINE patterns, comma-separated.")
@click.option("--seed", type=click.IntRange(0), help="What the programs are made from; drawn when there is none.")
@click.option("--cases", "count", default=1000, show_default=True, type=click.IntRange(1), help="Cases a lane.")
@click.option("--jobs", type=click.IntRange(1), help="Machines at once; by default one a CPU.")
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Where the run folder is made.")
def fuzz(lanes: str, seed: int | None, count: int, jobs: int | None, output: Path | None) -> int:
    """Run random programs on the lanes' kernels and in the model; a case both do not agree on is listed.

    The exit status is that of `hil run`.
    """
    console = terminal.console()
    seed = SystemRandom().randrange(1 << 32) if seed is None else seed
    console.print(f"seed {seed}", highlight=False)

    def scripts(kernel: str, arch: str) -> tuple[Script, ...]:
        return tuple(cases(seed, count, era(store.era(kernel, architecture(arch))), arch))

    plan = shares(select(listed(lanes), known_lanes()), scripts, known.read(KNOWN), together=TOGETHER, armed=(PRCTL,))
    report = carry_out(console, plan, output, jobs)
    for line in (*paces(report), *listings(report, plan)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    console.print(f"again: hil fuzz --lanes {lanes} --seed {seed} --cases {count}", highlight=False, soft_wrap=True)
    return report.exit_status


def paces(report: RunReport) -> Iterator[str]:
    """How fast each lane was, by the guest's clock, that is without boot, transport and model."""
    for lane in report.lanes:
        took = [result.seconds for result in report.results if result.lane == lane and result.seconds]
        if took:
            yield f"{lane}: {len(took) / sum(took):.0f} cases/s in the guest"
    yield f"{len(report.results) / report.seconds:.1f} cases/s with everything"


def listings(report: RunReport, plan: Sequence[Share]) -> Iterator[str]:
    """The programs of the first divergences."""
    by_lane = {str(lane): {script.name: script for script in share.scripts} for share in plan for lane in share.lanes}
    diverged = [result for result in report.results if result.verdict is Verdict.DIVERGE]
    for result in diverged[:MOST_LISTED]:
        yield f"{result.lane} {result.script}: {result.reason}"
        loads = (one for one in by_lane[result.lane][result.script].operations if isinstance(one, LoadProgram))
        yield listing(next(loads).program)


def listing(program: Program) -> str:
    """The program as text; where an instruction has no meaning, as numbers."""
    try:
        return disassemble(program)
    except UserError:
        return "".join(f"{instruction}\n" for instruction in program.instructions)
