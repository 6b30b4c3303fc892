"""`hil conform`: the conformance clauses on a matrix of lanes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click
from rich.console import Console

from harness.clauses import clauses
from harness.lane import select
from harness.run import known
from harness.run.commands import (
    DEFAULT_LANES,
    carry_out,
    check_chosen,
    check_predicted,
    check_required,
    known_lanes,
    list_plan,
    repeat,
    require_predicted,
)
from harness.run.known import KnownDivergence
from harness.run.plan import shares
from harness.run.results import RunReport
from harness.script.operations import Script
from hil import terminal
from hil.arch import architecture
from hil.errors import UserError
from hil.kernels import store

KNOWN = Path(__file__).with_name("known.toml")


@click.command()
@click.option("--lanes", default=DEFAULT_LANES, show_default=True, help="KERNEL/ARCH/ENGINE patterns, by commas.")
@click.option("--clauses", "patterns", default="*", show_default=True, help="Only clauses with such names, by commas.")
@click.option("--jobs", type=click.IntRange(1), help="Machines at once; by default one a CPU.")
@click.option("--require", multiple=True, help="A kernel whose lanes must not be unsupported. Repeatable.")
@require_predicted
@repeat
@click.option("--output", type=click.Path(path_type=Path, file_okay=False), help="Where the run folder is made.")
@click.option("--list", "listing", is_flag=True, help="List lanes and clauses, run nothing.")
def conform(
    lanes: str,
    patterns: str,
    jobs: int | None,
    require: tuple[str, ...],
    require_predicted: bool,
    rounds: int,
    output: Path | None,
    listing: bool,
) -> int:
    """Hold the lanes' kernels against the conformance clauses, and both against the model."""
    console = terminal.console()
    chosen = select(lanes.split(","), known_lanes())
    check_chosen(require, chosen)
    excused = known.read(KNOWN)
    plan = shares(
        chosen,
        lambda kernel, arch: _scripts(store.era(kernel, architecture(arch)), arch, patterns.split(",")),
        excused,
        rounds,
    )
    if listing:
        list_plan(console, plan)
        return 0
    report = carry_out(console, plan, output, jobs)
    _summarize(console, report, excused)
    check_required(require, report)
    check_predicted(require_predicted, report)
    return report.exit_status


def _scripts(era: str, arch: str, patterns: Sequence[str]) -> tuple[Script, ...]:
    """The clauses that match; UserError when a pattern matches none of any era."""
    all_of_them = clauses(arch, era)
    for pattern in patterns:
        if not any(fnmatchcase(clause.id, pattern) for clause in all_of_them):
            sections = ", ".join(dict.fromkeys(clause.id.split("-")[0] for clause in all_of_them))
            raise UserError(
                f"no clause of era {era} matches {pattern!r}", remedy=f"see --list; names begin with: {sections}"
            )
    wanted = [clause for clause in all_of_them if any(fnmatchcase(clause.id, pattern) for pattern in patterns)]
    return tuple(clause.script(era) for clause in wanted)


def _summarize(console: Console, report: RunReport, excused: Sequence[KnownDivergence]) -> None:
    """Who stands alone, how often; and what is no longer worth excusing."""
    blamed = Counter(result.blame for result in report.results if result.blame)
    if blamed:
        console.print(f"differs from the other two: {', '.join(f'{who} {count}' for who, count in blamed.items())}")
    for row in known.stale(excused, report):
        console.print(f"known.toml: {row.script} on {row.lane} did not diverge; remove the row", soft_wrap=True)
