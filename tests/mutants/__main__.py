# SPDX-License-Identifier: MIT
"""`python -m tests.mutants`: whether every planted mistake is found, on a real kernel, and after how many cases."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from harness.lane import select
from harness.run.choice import known_lanes
from harness.session import LineListener, lane_session, prepare
from hil import terminal
from hil.heartbeat import Heartbeat
from tests.mutants.planted import MUTANTS
from tests.mutants.searching import FEW, Search, seen_by


@click.command()
@click.option("--lane", default="debian-12/x86_64/interp", show_default=True, help="The kernel that is right.")
@click.option("--cases", default=20_000, show_default=True, type=click.IntRange(1), help="How many cases are enough.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--shrink", is_flag=True, help=f"Make every finding smaller, too, to {FEW} instructions at most.")
def main(lane: str, cases: int, seed: int, shrink: bool) -> None:
    """Plant every mistake in the model, and look for the first case that shows it."""
    (chosen,) = select([lane], known_lanes([lane]))
    with (
        Heartbeat(lambda line: print(f"mutants: {line}", flush=True)) as tell,
        TemporaryDirectory(prefix="hil-mutants-") as folder,
        lane_session(
            prepare(chosen.kernel, chosen.arch, LineListener(tell)),
            Path(folder),
            engine=chosen.engine,
            listener=LineListener(tell),
        ) as session,
    ):
        environment = session.environment(chosen.engine)
        tell(f"{cases} cases on {chosen}")
        search = Search(session, chosen, environment, seen_by(session.executor, environment, seed, cases))
        rows, missed, large = [], 0, 0
        for number, mutant in enumerate(MUTANTS, 1):
            tell(f"mistake {number} of {len(MUTANTS)}: {mutant.name}")
            found = search.first(mutant)
            missed += found is None
            left = search.smaller(mutant, found) if shrink and found else None
            large += bool(left and left.after > FEW)
            size = f"{left.before} to {left.after}" if left else ""
            rows.append((mutant.name, mutant.commit, found[0].script.name if found else "not found", size))
    terminal.print_table(terminal.console(), ("mistake", "fixed by", "first seen in", "instructions"), rows)
    print(f"{len(MUTANTS) - missed} of {len(MUTANTS)} found within {cases} cases on {chosen}")
    if shrink:
        print(f"{large} of them with more than {FEW} instructions left")
    sys.exit(bool(missed or large))


if __name__ == "__main__":
    main()
