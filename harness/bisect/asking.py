# SPDX-License-Identifier: MIT
"""Asking a kernel: it is booted, runs the script, and its behaviour is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from pathlib import Path

from harness.bisect import answers
from harness.bisect.answers import Answer
from harness.bisect.behaviour import Behaviour, behaviour, steady
from harness.compare import Verdict
from harness.lane import Engine
from harness.lowering.executor import Missed, Observed
from harness.run import matrix
from harness.run.plan import Share
from harness.run.results import ScriptResult
from harness.run.rounds import summed
from harness.run.watch import Watch
from harness.run.worker import Worker
from harness.script.operations import Script
from harness.script.outcome import Prediction
from hil.errors import UserError
from hil.kernels import store
from hil.kernels.points import Point


class Asker:
    """Asks kernels of one architecture how `script` behaves on an engine. `workers` are those that booted one.

    `script` returns the form of the script for a kernel, and raises UserError for a kernel that has none, which is
    skipped.
    """

    def __init__(self, script: Callable[[Point], Script], engine: Engine, rounds: int, *, afresh: bool) -> None:
        self._script, self._engine, self._rounds, self._afresh = script, engine, rounds, afresh
        self.workers: list[Worker] = []

    def known(self, point: Point) -> Answer | None:
        """Returns an answer that needs no boot: a stored one, or that there is no script for this kernel."""
        try:
            script = self._script(point)
        except UserError as error:
            return Answer(None, skipped=str(error))
        return None if self._afresh else answers.read(answers.place(point, self._engine, script, self._rounds))

    def ask(self, point: Point, folder: Path, watch: Watch) -> tuple[Answer, int]:
        """Boots the kernel and runs the script, with its console below `folder`; returns the answer, and the number of
        boots. A machine that dies before it is asked gets a second boot: a busy host makes machines die that otherwise
        do not.
        """
        before = len(self.workers)
        answer, lost = self._asked(point, folder, watch)
        if lost:
            answer, _ = self._asked(point, folder, watch)
        machines = (machine for worker in self.workers[before:] for machine in worker.reports)
        return answer, sum(bool(machine.command) for machine in machines)

    def _asked(self, point: Point, folder: Path, watch: Watch) -> tuple[Answer, bool]:
        """Returns the answer, and whether the machine was lost before it could give one."""
        script = self._script(point)
        observed: list[Behaviour] = []

        def observe(seen: Observed | Missed, predictions: Sequence[Prediction]) -> None:
            observed.append(behaviour(seen, predictions))

        kernel = store.cached_as(point) or point.name
        share = Share(kernel, point.arch.name, (self._engine,), (script,), rounds=self._rounds)
        # Every kernel is asked once: its state would only drive those of others out of the cache.
        worker = Worker(share, folder, watch, heard=observe, cold=True)
        self.workers.append(worker)
        matrix.work([worker])
        (result,) = summed(worker.results)
        answer = _answer(result, observed)
        answers.keep(answers.place(point, self._engine, script, self._rounds), answer)
        return answer, result.verdict is Verdict.LOST and not observed


def _answer(result: ScriptResult, observed: Sequence[Behaviour]) -> Answer:
    if not observed or result.verdict is Verdict.ERROR:
        return Answer(None, skipped=result.reason)
    operation = f" at operation {result.operation.index}" if result.operation else ""
    return Answer(reduce(steady, observed), f"{result.verdict}{operation}")
