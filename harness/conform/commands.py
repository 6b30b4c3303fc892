# SPDX-License-Identifier: MIT
"""`hil conform`: the conformance clauses on a matrix of lanes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import click
from rich.console import Console

from harness.clauses import clauses
from harness.conform.page import markdown
from harness.jobs import completing
from harness.jobs.listing import list_plan, print_left_out
from harness.jobs.options import chosen_places, lanes, of_a_run
from harness.jobs.start import carry_out
from harness.lane import listed
from harness.run import known
from harness.run.choice import check_chosen, choose
from harness.run.demands import Demands
from harness.run.known import KnownDivergence
from harness.run.plan import shares
from harness.run.results import RunReport
from harness.script.clause import Clause
from hil import terminal
from hil.errors import UserError

KNOWN = Path(__file__).with_name("known.toml")


@click.command()
@lanes
@click.option(
    "--clauses",
    "patterns",
    metavar="NAME,...",
    default="*",
    show_default=True,
    shell_complete=completing.clause_patterns,
    help="Only clauses that match one of these names; --list lists them.",
)
@of_a_run
@click.option("--list", "listing", is_flag=True, help="List lanes and clauses, run nothing.")
@click.option("--markdown", "as_markdown", is_flag=True, help="With --list: every clause, as docs/clauses.md has it.")
def conform(
    lanes: str,
    patterns: str,
    jobs: int | None,
    require: tuple[str, ...],
    require_predicted: bool,
    strict: bool,
    rounds: int,
    on_divergence: str | None,
    output: Path | None,
    listing: bool,
    as_markdown: bool,
    **_: object,
) -> int:
    """Hold the lanes' kernels against the conformance clauses, and both against the model."""
    if as_markdown:
        if not listing:
            raise UserError("--markdown works with --list only", remedy="add --list")
        click.echo(markdown(), nl=False)
        return 0
    console = terminal.console()
    places = chosen_places(listed(lanes), console)

    def there(kernel: str, arch: str) -> dict[str, Clause]:
        era, distribution = places.era(kernel, arch), places.distribution(kernel, arch)
        return {clause.id: clause for clause in clauses(arch, era, distribution)}

    chosen = choose(places.lanes, there, patterns, "clause", _sections)
    check_chosen(require, chosen)
    print_left_out(console, chosen)
    excused = known.read(KNOWN)
    plan = shares(
        chosen.lanes,
        lambda *place: tuple(clause.script(places.era(*place), places.version(*place)) for clause in chosen.of[place]),
        excused,
        rounds,
        board=places.board,
    )
    if listing:
        list_plan(console, plan)
        return 0
    demands = Demands(require, predicted=require_predicted or strict, expected=strict)
    report = carry_out(console, plan, output, jobs, demands, on_divergence=on_divergence)
    _summarize(console, report, excused)
    demands.check(report)
    return report.exit_status


def _sections(ids: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(f"{id.split('-')[0]}-*" for id in ids)


def _summarize(console: Console, report: RunReport, excused: Sequence[KnownDivergence]) -> None:
    """Prints how often each of the three differs from the other two, and which known divergences did not occur."""
    blamed = Counter(result.blame for result in report.results if result.blame)
    if blamed:
        console.print(f"differs from the other two: {', '.join(f'{who} {count}' for who, count in blamed.items())}")
    for row in known.stale(excused, report):
        console.print(f"known.toml: {row.script} on {row.lane} did not diverge; remove the row", soft_wrap=True)
