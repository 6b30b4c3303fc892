# SPDX-License-Identifier: MIT
"""`python -m tests.lockstep`: how much of what lanes execute is compared with the model, and whether it is equal."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from harness.lane import select
from harness.lockstep.findings import lines
from harness.run.choice import known_lanes
from hil.errors import HilError
from tests.lockstep.covering import cover, read
from tests.lockstep.table import page, unexplained

LANES = "linux-4.1/*,debian-11/*,debian-12/*,debian-13/x86_64,debian-13/arm64,debian-sid/x86_64,debian-sid/arm64"
_PAGE = Path("docs/lockstep-coverage.md")


@click.command()
@click.option("--lanes", default=LANES, show_default=True, help="The lanes, one after the other.")
@click.option("--minutes", default=60.0, show_default=True, help="At most so many for a lane; the next time goes on.")
@click.option("--generated", default=100, show_default=True, type=click.IntRange(0), help="How many generated cases.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Their seed.")
@click.option("--results", default="build/lockstep", show_default=True, type=click.Path(path_type=Path))
@click.option("--table", is_flag=True, help="Run nothing; print the page of what there is.")
@click.option("--write", is_flag=True, help=f"Write it to {_PAGE}.")
def main(lanes: str, minutes: float, generated: int, seed: int, results: Path, table: bool, write: bool) -> None:
    """Run every script with programs in lockstep, by lane, and go on where the last time ended; what differs without
    explanation is run again. Exit status: 1 when there is such a difference."""
    results.mkdir(parents=True, exist_ok=True)
    patterns = lanes.split(",")
    chosen = select(patterns, known_lanes(patterns))
    files = {lane: results / f"{str(lane).replace('/', '-')}.jsonl" for lane in chosen}
    for lane, file in () if table else files.items():
        try:
            cover(lane, file, (seed, generated), _done(file), time.monotonic() + 60 * minutes, click.echo)
        except HilError as error:
            click.echo(f"{lane}: {error}", err=True)
    covered = [read(file) for file in files.values() if file.exists()]
    text = page(covered, "make lockstep-coverage")
    if write:
        _PAGE.write_text(text)
    else:
        click.echo(text)
    for one in covered:
        for entry in unexplained(one):
            click.echo(f"not explained: {one.lane}, {entry.script}", err=True)
            for line in lines(entry.examined):
                click.echo(f"  {line}", err=True)
    sys.exit(any(unexplained(one) for one in covered))


def _done(file: Path) -> set[str]:
    covered = read(file) if file.exists() else None
    return {one.script for one in covered.entries if one not in unexplained(covered)} if covered else set()


if __name__ == "__main__":
    main()
