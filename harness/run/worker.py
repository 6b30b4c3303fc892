"""One machine's share of a run, from the kernel's image to the last verdict."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import count, product
from pathlib import Path
from typing import Any

from harness.compare import Verdict
from harness.lane import Lane
from harness.lowering.armed import keep_armed
from harness.lowering.context import Guest
from harness.lowering.engine import EngineUnavailable
from harness.lowering.executor import GuestExecutor, Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.interface.settings import EVER
from harness.run.judging import verdict, wanted
from harness.run.known import excuse
from harness.run.needs import unmet
from harness.run.phase_timing import PhaseClock
from harness.run.plan import Share
from harness.run.results import MachineReport, ScriptResult
from harness.run.watch import Watch
from harness.script.needs import CPUS, Need
from harness.script.operations import Script
from hil import guestroot
from hil.arch import architecture
from hil.errors import BenchError, HilError, MachineLost, of_host
from hil.guestroot import GuestRoot
from hil.kernels import store
from hil.kernels.kernel import Kernel
from hil.machine import Machine, MachineSpec
from hil.machine.cpus import at_first, bring_up

Model = Callable[[Environment], ModelExecutor]
"""Makes the model of a lane."""
REPLACEMENTS = 3
"""Machines that may be lost in a share before the rest of it is given up."""


@dataclass(frozen=True)
class Visit:
    """Some scripts of a lane, once: those that need two CPUs, or all others."""

    two_cpus: bool
    round: int
    lane: Lane

    def of(self, scripts: Iterable[Script]) -> Iterator[Script]:
        return (script for script in scripts if (Need.TWO_CPUS in script.needs) is self.two_cpus)


class Worker:
    """Runs one share. `machine` is there while it runs, so that an impatient user's Ctrl-C can stop it.

    A machine that dies costs the script it was at; another one is booted for the rest.
    """

    def __init__(self, share: Share, folder: Path, watch: Watch, model: Model = ModelExecutor) -> None:
        self.share = share
        self.machine: Machine | None = None
        self.reports = [MachineReport(share.kernel, share.arch)]
        """One a machine, in the order they were booted."""
        self.results: list[ScriptResult] = []
        """Of every round by itself; `harness.run.rounds.summed` makes one a script and lane of them."""
        self.unkept: dict[str, Exception] = {}
        """What could not be written in the run folder, and why."""
        self.clock = PhaseClock()
        self._judged: Counter[tuple[str, str]] = Counter()
        """Results so far by lane and script; a look through all of them for every round would never end."""
        self._place = f"{share.kernel}/{share.arch}"
        self._folder = folder
        self._stopped = False
        self._missed = False
        """Whether the machine that runs now missed a script, which pays for its end."""
        self._watch = watch
        self._model = model

    @property
    def report(self) -> MachineReport:
        """Of the machine that runs now, or ran last."""
        return self.reports[-1]

    def run(self) -> None:
        """Fill `reports` and `results`: every script gets a verdict on every lane in every round, whatever happens."""
        try:
            with self.clock.on(self._place, "other"):
                self._run()
        except store.NotAtHand as error:
            self._rest(Verdict.UNSUPPORTED, str(error))
        except MachineLost as error:
            self._rest(Verdict.LOST, str(error), details=error.details)
        except HilError as error:
            # What fails when we are ended fails of that.
            self._rest(Verdict.LOST if self._stopped else Verdict.ERROR, str(error), details=error.details)
        except OSError as error:
            self._rest(Verdict.ERROR, str(of_host(error, self._folder)), details=traceback.format_exc())
        except Exception as error:
            # A fault of ours must not take other machines' results with it; it is told as what it is.
            self._rest(Verdict.ERROR, f"internal error: {error!r}", details=traceback.format_exc())
        finally:
            self._watch.state(self.share, "done")

    def stop(self) -> None:
        """End the machine under the worker's feet; from another thread."""
        self._stopped = True
        if self.machine is not None:
            self.machine.stop()

    def _run(self) -> None:
        if self._stopped:
            raise MachineLost("the run was stopped before the machine was started")
        self._watch.state(self.share, "kernel")
        with self.clock.on(self._place, "kernel"):
            kernel = store.get(
                self.share.kernel,
                architecture(self.share.arch),
                notify=lambda line: self._watch.state(self.share, line),
            )
        self._know(provenance=dict(kernel.provenance))
        self._watch.state(self.share, "guest root")
        with self.clock.on(self._place, "guest root"):
            root = guestroot.build(kernel)
        for number in count(1):
            done, self._missed = len(self.results), False
            try:
                self._serve(kernel, root, number)
                return
            except MachineLost as loss:
                # A machine that ran nothing would be followed by another such.
                if self._stopped or len(self.results) == done or number > REPLACEMENTS:
                    raise
                self._know(trouble=f"{loss}\n{loss.details}".strip())
                if not self._missed:
                    self._charge(loss)
                self._watch.state(self.share, f"lost a machine, goes on with another: {loss}")
                self.reports.append(MachineReport(kernel.name, kernel.arch.name, provenance=dict(kernel.provenance)))

    def _serve(self, kernel: Kernel, root: GuestRoot, number: int) -> None:
        """Boot the share's machine `number` and run on it what has no result yet."""
        self._watch.state(self.share, "booting")
        started = time.monotonic()
        folder = self._folder / (self.share.name if number == 1 else f"{self.share.name}-{number}")
        both = any(Need.TWO_CPUS in script.needs for script in self.share.scripts)
        append = at_first(kernel, all_needed=both)
        self.machine = Machine(MachineSpec(kernel, root, folder, cpus=CPUS, append=append))
        if self._stopped:  # looked at behind the machine's making, as `stop` looks the other way round
            raise MachineLost("the run was stopped before the machine was started")
        try:
            with ExitStack() as stack:
                with self.clock.on(self._place, "boot"):
                    stack.enter_context(self.machine)
                with self.clock.on(self._place, "SSH"):
                    executor = stack.enter_context(GuestExecutor(self.machine, Guest.of(kernel)))
                    self._booted(self.machine, time.monotonic() - started)
                if self.share.armed:
                    with self.clock.on(self._place, "SSH"):
                        keep_armed(self.machine, executor.guest.tracing, self.share.armed)
                for visit in self._visits():
                    self._visit(visit, kernel, executor)
        finally:
            self._know(command=tuple(self.machine.command), warnings=(*self.report.warnings, *self.machine.warnings))
            for warning in self.machine.warnings:
                self._watch.state(self.share, f"warning: {warning}")
            if lacks := self.machine.log_lacks:
                log = str(self.machine.spec.console_log.relative_to(self._folder))
                self.unkept[log] = BenchError(f"QEMU could not write {lacks} bytes of it")

    def _booted(self, machine: Machine, seconds: float) -> None:
        uname = machine.run(["uname", "-a"]).stdout.decode(errors="replace").strip()
        self._watch.state(self.share, f"booted in {seconds:.1f} s: {uname}")
        self._know(
            uname=uname,
            qemu_version=machine.qemu_version,
            boot_seconds=round(seconds, 2),
            console=str(machine.spec.console_log.relative_to(self._folder)),
        )

    def _visit(self, visit: Visit, kernel: Kernel, executor: GuestExecutor) -> None:
        todo = list(self._unjudged(visit))
        if not todo:
            return
        lane = visit.lane
        on = " on two CPUs" if visit.two_cpus else ""
        which = f", round {visit.round} of {self.share.rounds}" if self.share.rounds > 1 else ""
        self._watch.state(self.share, f"running {lane.engine}{on}{which}")
        try:
            with self.clock.on(lane, "engine"):
                executor.switch(lane.engine)
        except EngineUnavailable as error:
            for script in todo:
                self._add(lane, ScriptResult(str(lane), script.name, Verdict.UNSUPPORTED, str(error)))
            return
        environment = Environment.of(kernel, lane.engine, executor.agent.hello, executor.settings(EVER))
        for warning in environment.warnings:
            if warning not in self.report.warnings:
                self._know(warnings=(*self.report.warnings, warning))
                self._watch.state(self.share, f"warning: {warning}")
        missing = {script.name: unmet(script.needs, environment) for script in todo}
        for script in todo:
            if reason := missing[script.name]:
                self._add(lane, ScriptResult(str(lane), script.name, Verdict.UNSUPPORTED, reason))
        able = [script for script in todo if not missing[script.name]]
        if able and visit.two_cpus:
            with self.clock.on(self._place, "second CPU"):
                bring_up(executor.target)
        model = self._model(environment)
        for seen in self.clock.each(lane, "guest", executor.run(able, together=self.share.together)):
            self._missed |= isinstance(seen, Missed)
            self._add(lane, self._judge(lane, seen, model))

    def _charge(self, loss: MachineLost) -> None:
        """A machine that died while no script ran is no better than one that died of a script: the next one pays."""
        for visit in self._visits():
            for script in self._unjudged(visit):
                reason = f"before it, with no script under way: {loss}"
                self._add(visit.lane, ScriptResult(str(visit.lane), script.name, Verdict.LOST, reason))
                return

    def _judge(self, lane: Lane, seen: Observed | Missed, model: ModelExecutor) -> ScriptResult:
        try:
            with self.clock.on(lane, "model"):
                predictions = model.run(seen.script, wanted(seen))
            with self.clock.on(lane, "comparison"):
                result = verdict(lane, seen, predictions)
                return replace(result, unexpected=()) if self.share.random else result
        except Exception as error:
            # A fault of the model or of a reader costs the script it shows in, not what comes behind it.
            self._know(trouble=traceback.format_exc())
            return ScriptResult(str(lane), seen.script.name, Verdict.ERROR, f"internal error: {error!r}")

    def _visits(self) -> Iterator[Visit]:
        """Every lane once a round, so that a round meets whatever all lanes left over in the one before; and all of it
        first for the scripts that one CPU is enough for."""
        rounds = range(1, self.share.rounds + 1)
        return (Visit(*which) for which in product((False, True), rounds, self.share.lanes))

    def _unjudged(self, visit: Visit) -> Iterator[Script]:
        lane = str(visit.lane)
        return (script for script in visit.of(self.share.scripts) if self._judged[lane, script.name] < visit.round)

    def _know(self, **facts: Any) -> None:
        self.reports[-1] = replace(self.report, **facts)

    def _add(self, lane: Lane, result: ScriptResult) -> None:
        result = excuse(result, self.share.known)
        self.results.append(result)
        self._judged[result.lane, result.script] += 1
        self._watch.done(lane, result)

    def _rest(self, verdict: Verdict, reason: str, details: str = "") -> None:
        """Give the same verdict to whatever has none."""
        self._know(trouble=f"{reason}\n{details}".strip())
        for visit in self._visits():
            for script in tuple(self._unjudged(visit)):
                self._add(visit.lane, ScriptResult(str(visit.lane), script.name, verdict, reason))
