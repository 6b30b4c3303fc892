# SPDX-License-Identifier: MIT
"""`hil exec`: a user's own loader on lanes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from harness.jobs.artifacts import EVERYTHING
from harness.jobs.options import chosen_places, cold, jobs, lanes, output, target
from harness.jobs.start import with_progress
from harness.lane import listed
from harness.loader.rooted import Surroundings, surroundings_options
from harness.loader.running import Limits
from harness.loader.task import Named, task
from harness.loader.worker import TaskWorker
from harness.report.executed import print_executed
from harness.run import matrix
from harness.run.plan import shares
from harness.run.results import RunReport
from harness.run.watch import Logged, Watch
from hil import terminal
from hil.arch import architecture
from hil.errors import UserError


@click.command("exec")
@click.argument("command", nargs=-1, required=True)
@lanes
@click.option(
    "--file", "files", multiple=True, metavar="PATH[:NAME]", help="A file or folder that goes with it. Repeatable."
)
@click.option("--fetch", multiple=True, metavar="PATH", help="A file or folder of the guest to bring back. Repeatable.")
@click.option(
    "--deadline",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0.1, 86400),
    help="Nominal seconds it may take.",
)
@click.option("--unwatched", is_flag=True, help="Do not look while it runs: probes see what the bench does.")
@surroundings_options
@click.option("--may-leave", is_flag=True, help="Do not fail when it leaves programs, probes or processes behind.")
@click.option("--keep-failed", is_flag=True, help="Keep machines in which it fails until Ctrl-C, for a look by SSH.")
@jobs
@cold
@target
@output
def exec_(
    command: tuple[str, ...],
    lanes: str,
    files: tuple[str, ...],
    fetch: tuple[str, ...],
    deadline: float,
    unwatched: bool,
    root: str | None,
    packages: str,
    headers: bool,
    memory: int | None,
    may_leave: bool,
    keep_failed: bool,
    jobs: int | None,
    output: Path | None,
    **_: object,
) -> int:
    """Run a COMMAND of your own in the lanes' guests, and tell what it gave, attached and left behind.

    COMMAND is a program of this host (a path with a slash), which is copied, or a command of the guest; `{arch}` and
    `{debian}` in paths are the lane's architecture (x86_64, amd64). Each lane gets a machine of its own.

    Exit status: 0 it ended with 0 everywhere and left nothing, 1 it did not, 2 wrong usage, 3 a machine failed.
    """
    console = terminal.console()
    surroundings = Surroundings.of(root, packages, headers, memory)
    places = chosen_places(listed(lanes), console)
    if places.board is not None and (surroundings != Surroundings() or keep_failed):
        raise UserError(
            "--root, --memory and --keep-failed are for guests, and --target is a board",
            remedy="install what the command needs there; a board stays up by itself",
        )
    tasks = {
        name: task(command, files, fetch, architecture(name), root=root is not None)
        for name in dict.fromkeys(lane.arch for lane in places.lanes)
    }
    limits = Limits(deadline, watched=not unwatched)
    plan = shares(
        places.lanes,
        lambda _, arch: (Named(tasks[arch].name, f"runs {tasks[arch]}", ()),),
        board=places.board,
    )

    def run(folder: Path, watch: Watch) -> RunReport:
        workers = [
            TaskWorker(
                share,
                tasks[share.arch],
                limits,
                folder,
                Logged(watch),
                surroundings=surroundings,
                may_leave=may_leave,
                keep_failed=keep_failed,
            )
            for share in plan
        ]

        def complete(report: RunReport) -> RunReport:
            return replace(report, executed=tuple(one for worker in workers for one in worker.executed))

        return matrix.recorded(
            workers, lambda: matrix.work(workers, jobs), folder, artifacts=EVERYTHING, complete=complete
        )

    report = with_progress(console, plan, output, run)
    print_executed(console, report.executed)
    return report.exit_status
