# SPDX-License-Identifier: MIT
"""`python -m tests.chaos`: the campaign as a command."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatchcase

import click
from rich.console import Console
from rich.table import Table

from hil import cache
from tests.chaos.campaign import Judged, carry_out, order
from tests.chaos.home import place
from tests.chaos.kind import Kind
from tests.chaos.kinds import every


@click.command()
@click.option("--trials", default=300, show_default=True, type=click.IntRange(1), help="The number of trials.")
@click.option("--seed", default=1, show_default=True, help="The seed of all random choices: kinds, times and others.")
@click.option(
    "--kinds",
    "patterns",
    default="*",
    show_default=True,
    help="Only kinds whose names match a pattern; separated by commas.",
)
@click.option("--only", multiple=True, type=int, help="Only the trial with this number. Repeatable.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(1), help="Trials at once.")
@click.option("--list", "listing", is_flag=True, help="List the kinds, inject nothing.")
def chaos(trials: int, seed: int, patterns: str, only: tuple[int, ...], jobs: int, listing: bool) -> None:
    """Start real runs, inject a fault into each, and judge how it ends. Exit status: 0 all right, 1 some wrong."""
    console = Console(markup=False, highlight=False)
    kinds = [kind for kind in every() if any(fnmatchcase(kind.name, pattern) for pattern in patterns.split(","))]
    if not kinds:
        raise click.UsageError(f"no kind matches {patterns!r}; see --list")
    if listing:
        for kind in kinds:
            console.print(f"{kind}: {' '.join((kind.__doc__ or '').split())}", soft_wrap=True)
        return
    folder = place()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    started = time.monotonic()
    in_order = order(kinds, seed, max(only, default=trials))
    chosen = {number: in_order[number - 1] for number in only or range(1, trials + 1)}
    judged: list[Judged] = []

    def add(one: Judged) -> None:
        judged.append(one)
        show(console, one)

    try:
        carry_out(chosen, seed, jobs, folder, add)
    finally:
        _show_table(console, kinds, judged)
        wrong = sorted((one for one in judged if one.wrong), key=lambda one: one.number)
        counted = f"{len(judged)} of {len(chosen)} trials in {(time.monotonic() - started) / 60:.0f} min"
        console.print(f"{counted}, seed {seed}: {len(wrong)} wrong", soft_wrap=True)
    if not wrong:
        cache.remove(folder)
        return
    numbers = " ".join(f"--only {one.number}" for one in wrong)
    same = f"--seed {seed} --kinds '{patterns}'"
    console.print(f"the homes of the wrong ones are in {folder}; to repeat them: {same} {numbers}", soft_wrap=True)
    sys.exit(1)


def show(console: Console, one: Judged) -> None:
    result = "WRONG" if one.wrong else "skipped" if one.skipped else "right"
    notice = "" if one.notice is None else f", noticed after {one.notice:.1f} s"
    console.print(f"{one.number} {one.kind}: {result} in {one.seconds:.0f} s{notice}", soft_wrap=True)
    for line in one.wrong or [one.skipped] * bool(one.skipped):
        console.print(f"    {line}", soft_wrap=True)
    if one.wrong:
        console.print("\n".join(f"    | {line}" for line in one.output.splitlines()), soft_wrap=True)


def _show_table(console: Console, kinds: Sequence[Kind], judged: Sequence[Judged]) -> None:
    table = Table("kind", box=None, pad_edge=False)
    for heading in ("trials", "right", "skipped", "worst time to notice"):
        table.add_column(heading, justify="right")
    for kind in kinds:
        ours = [one for one in judged if one.kind is kind]
        if not ours:
            continue
        notices = [one.notice for one in ours if one.notice is not None]
        right = sum(not one.wrong and not one.skipped for one in ours)
        skipped = sum(bool(one.skipped) for one in ours)
        worst = f"{max(notices):.1f} s" if notices else ""
        table.add_row(kind.name, str(len(ours)), str(right), str(skipped or ""), worst)
    console.print(table)


if __name__ == "__main__":
    chaos()
