# SPDX-License-Identifier: MIT
"""`python -m tests.objects`: the reader held against objects that others made, whole or damaged."""

from __future__ import annotations

import resource
import time

import click
from rich.console import Console
from rich.table import Table

from harness.counting import counted
from tests.harness.objects.building import everything, moved
from tests.objects.collect import Tally, contents, digest, tally
from tests.objects.fetch import fetch
from tests.objects.mutations import hammer
from tests.objects.packages import WANTED


@click.command()
@click.option("--mutations", type=click.IntRange(0), default=0, help="Read so many damaged ones instead of a table.")
@click.option("--own", is_flag=True, help="Damage objects of our own, which need no package.")
@click.option("--seed", default=1, show_default=True, help="Decides how they are damaged.")
@click.option("--packages", default="", help="Only packages with this in their name.")
def objects(mutations: int, own: bool, seed: int, packages: str) -> None:
    """Fetch Debian's packages with BPF objects, and read every one. Exit status: 1 when the reader breaks down."""
    console = Console(markup=False, highlight=False, width=140)
    if own:
        found = {digest(content): content for content in (everything(), moved())}
    else:
        found = _all(console, packages, table=not mutations)
    if mutations:
        started = time.monotonic()
        ended = hammer(list(found.values()), mutations, seed)
        took, peak = time.monotonic() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        console.print(f"{mutations} damaged objects of {len(found)} in {took:.0f} s, at most {peak} MiB")
        for word, count in ended.most_common():
            console.print(f"{count:8} {word}")


def _all(console: Console, packages: str, *, table: bool) -> dict[str, bytes]:
    """Every object once, by what tells it apart; with a table of what was read."""
    found: dict[str, bytes] = {}
    shown = Table("package", *("objects", "programs", "sections", "understood", "kprobes", "understood", "refused"))
    total = Tally()
    for wanted in WANTED:
        if packages not in wanted.name:
            continue
        for unpacked in fetch(wanted, console.print):
            here = Tally()
            for _, content in contents(unpacked.folder):
                if (key := digest(content)) not in found:
                    found[key] = content
                    if table:
                        here += tally(content)
            shown.add_row(str(unpacked), *_cells(here))
            total += here
    if table:
        shown.add_row("all, each once", *_cells(total), style="bold")
        console.print(shown)
        for reason, count in total.refused.most_common():
            console.print(f"{counted(count, 'refusal')}: {reason.word}: {reason.value}", soft_wrap=True)
    return found


def _cells(of: Tally) -> tuple[str, ...]:
    numbers = (of.objects, of.programs, of.sections, of.understood, of.kprobes, of.kprobes_understood)
    return *map(str, numbers), ", ".join(f"{count} {reason.word}" for reason, count in of.refused.items())


if __name__ == "__main__":
    objects()
