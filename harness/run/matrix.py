# SPDX-License-Identifier: MIT
"""A whole run: its machines side by side, and its run folder."""

from __future__ import annotations

import logging
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import click

from harness.model.executor import ModelExecutor
from harness.run.again import command_line, with_again
from harness.run.artifacts import RESULTS, Artifacts, Unwritten, write_artifacts
from harness.run.crosschecking import crosschecked
from harness.run.demands import NO_DEMANDS, Demands
from harness.run.plan import Share
from harness.run.results import RunReport
from harness.run.rounds import summed
from harness.run.texts import needs_whole, texts
from harness.run.watch import Logged, Watch
from harness.run.worker import After, Model, Worker
from hil import logs, programs, signals
from hil.errors import BenchError
from hil.version import version

_log = logging.getLogger(__name__)

Complete = Callable[[RunReport], RunReport]
Examine = Callable[[Sequence[Worker], Path], None]
_LOOK = 1.0
"""Seconds after which the main thread looks up. Python heeds signals between two instructions: one that comes when the
wait for a lock is decided on, but has not begun, is heeded when the lock is there, which may be never."""


def run(
    shares: Sequence[Share],
    folder: Path,
    watch: Watch,
    *,
    jobs: int | None = None,
    model: Model = ModelExecutor,
    demands: Demands = NO_DEMANDS,
    artifacts: Artifacts = RESULTS,
    after: After | None = None,
    complete: Complete = lambda report: report,
    examine: Examine = lambda workers, folder: None,
) -> RunReport:
    """Run every share, `jobs` machines at once (by default one a CPU), and write what `artifacts` says. `after` is
    called with each lane's session, `complete` adds to the report what it learnt; `examine` may look at results again
    when all workers are through.

    An interrupt (`hil.signals`) stops every machine, leaves what there is, marked as such, and is raised again; one
    that comes when the run is through comes too late. Unwritten when something could not be written.
    """
    workers = [Worker(share, folder, Logged(watch), model, after=after) for share in shares]

    def carry_out() -> None:
        work(workers, jobs)
        examine(workers, folder)

    return recorded(workers, carry_out, folder, demands, artifacts, complete)


def recorded(
    workers: Sequence[Worker],
    carry_out: Callable[[], None],
    folder: Path,
    demands: Demands = NO_DEMANDS,
    artifacts: Artifacts = RESULTS,
    complete: Complete = lambda report: report,
) -> RunReport:
    """The report of what `carry_out` has `workers` do, which may become more meanwhile, written as `run` says."""
    with logs.to_file(folder / logs.NAME) as log:
        _log.info("hil %s: %s", version(), shlex.join(sys.argv))
        return _recorded(workers, carry_out, folder, demands, artifacts, complete, log)


def _recorded(
    workers: Sequence[Worker],
    carry_out: Callable[[], None],
    folder: Path,
    demands: Demands,
    artifacts: Artifacts,
    complete: Complete,
    log: logs.File,
) -> RunReport:
    command = command_line(sys.argv)
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    about = host()

    def report(*, interrupted: bool = False, signal: int | None = None) -> RunReport:
        summed_up = [result for worker in workers for result in summed(worker.results)]
        evidence = [one for worker in workers for one in worker.evidence]
        known = {lane: worker.share.known for worker in workers for lane in map(str, worker.share.lanes)}
        results = tuple(with_again(result, command) for result in crosschecked(summed_up, evidence, known))
        made = RunReport(
            started=started,
            seconds=round(time.monotonic() - clock, 2),
            command=command,
            host=about,
            lanes=tuple(str(lane) for worker in workers for lane in worker.share.lanes),
            machines=tuple(report for worker in workers for report in worker.reports),
            results=results,
            scripts=texts(
                [worker.share for worker in workers], {result.script for result in results if needs_whole(result)}
            ),
            spent=tuple(spent for worker in workers for spent in worker.clock.spent),
            interrupted=interrupted,
            signal=signal,
        )
        return complete(made)

    try:
        signals.deliver()
        carry_out()
        signals.defer()
    except BaseException as error:
        try:
            write_artifacts(report(interrupted=True, signal=_signal(error)), folder, artifacts, _unkept(workers, log))
        except Unwritten as fault:
            click.echo(f"hil: {fault}", err=True)  # and let the interrupt go on: it is what ended the run
        raise
    finished = report()
    finished = replace(finished, broken=tuple(demands.broken(finished)))
    write_artifacts(finished, folder, artifacts, _unkept(workers, log))
    return finished


def work(workers: Sequence[Worker], jobs: int | None = None) -> None:
    """Runs every worker; an interrupt stops all of them, and is raised again when each has reported its end."""
    try:
        with ExitStack() as ending, ThreadPoolExecutor(jobs or os.cpu_count() or 1, thread_name_prefix="share") as pool:
            try:
                signals.defer()  # the pool waits for no thread whose start was interrupted
                futures = [pool.submit(worker.run) for worker in workers]
                signals.deliver()
                for future in futures:
                    while not future.done():
                        wait((future,), _LOOK)
                        signals.deliver()
                    future.result()
            except BaseException:
                for worker in reversed(workers):  # those that wait first, so that none of them begins
                    worker.stop()
                ending.enter_context(programs.stopped())
                raise
    except BaseException:
        for worker in workers:
            if not worker.results:
                worker.run()  # it was stopped before it began, and says so
        raise


def _unkept(workers: Sequence[Worker], log: logs.File) -> dict[str, Exception]:
    faults = {name: error for worker in workers for name, error in worker.unkept.items()}
    return faults | ({logs.NAME: log.failure} if log.failure else {})


def _signal(error: BaseException) -> int | None:
    return error.number if isinstance(error, signals.Ended) else None


def make_folder(parent: Path) -> Path:
    """A new folder for one run, named after the time, and `latest` beside it."""
    name = datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    try:
        parent.mkdir(parents=True, exist_ok=True)
        folder = next(path for path in _names(parent / name) if _made(path))
        latest = parent / f".latest-{os.getpid()}"
        latest.symlink_to(folder.name)
        latest.replace(parent / "latest")
    except OSError as error:
        raise BenchError(
            f"cannot make a run folder in {parent}: {error.strerror}", remedy="name another place with --output"
        ) from error
    return folder


def _names(first: Path) -> Iterator[Path]:
    yield first
    yield from (first.with_name(f"{first.name}-{number}") for number in range(2, 1000))


def _made(path: Path) -> bool:
    try:
        path.mkdir()
    except FileExistsError:
        return False
    return True


def host() -> dict[str, str]:
    """Returns what reports say of this host."""
    return {
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": str(os.cpu_count()),
        "python": platform.python_version(),
        "hil": version(),
    }
