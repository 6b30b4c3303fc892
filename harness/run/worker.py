# SPDX-License-Identifier: MIT
"""One machine's share of a run, from the kernel's image to the last verdict."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from itertools import count, product
from pathlib import Path
from typing import Any, ClassVar

from harness.compare import Verdict
from harness.crosscheck.evidence import Evidence, evidence
from harness.crosscheck.witness import Witness
from harness.lane import Lane
from harness.lowering.armed import slots
from harness.lowering.engine import EngineUnavailable
from harness.lowering.executor import GuestExecutor, Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.run.faulty import excuse_faulty
from harness.run.judging import verdict
from harness.run.known import EXCUSED, About, excuse
from harness.run.needs import unmet
from harness.run.opening import Sessions, open_session
from harness.run.phase_timing import PhaseClock
from harness.run.plan import Share
from harness.run.predicting import Predictions
from harness.run.results import MachineReport, ScriptResult
from harness.run.watch import Watch
from harness.script.needs import Need
from harness.script.operations import Attach, OpenEvent, Script
from harness.script.outcome import Prediction
from harness.session import Bootable, Listener, OnBoard, Phase, Session, prepare
from hil.errors import BenchError, HilError, MachineLost, exhausted, os_error
from hil.kernels import store
from hil.machine.postmortem import PostMortem
from hil.target import Target

Model = Callable[[Environment], ModelExecutor]
"""Makes the model of a lane."""
Heard = Callable[[Observed | Missed, Sequence[Prediction]], None]
"""Receives the guest's result of a script, and the predictions it is compared with; both are a `Compared`."""
Compared = tuple[Observed | Missed, Sequence[Prediction]]
After = Callable[[Lane, Session[Target], Sequence[Compared]], None]
"""Receives a lane's session when its scripts have run or the machine was lost, with the results and predictions of
each; it may go on to use the session, as far as that lives."""


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


class _Progress(Listener):
    """Passes the progress of sessions to a worker's watch, clock and report."""

    _SAID: ClassVar = {Phase.KERNEL: "kernel", Phase.GUEST_ROOT: "guest root", Phase.BOOT: "booting"}

    def __init__(self, worker: Worker) -> None:
        self._worker = worker

    def phase(self, phase: Phase) -> AbstractContextManager[None]:
        if phase in self._SAID:
            self._worker.say(self._SAID[phase])
        return self._worker.clock.on(self._worker.place, str(phase))

    def note(self, line: str) -> None:
        self._worker.say(line)

    def warning(self, line: str) -> None:
        self._worker.warn(line)

    def made(self, machine: Target) -> None:
        self._worker.takes(machine)


class Worker:
    """Runs one share. `machine` is there while it runs, so that an impatient user's Ctrl-C can stop it.

    A machine that dies costs the script it was at; another one is booted for the rest.
    """

    def __init__(
        self,
        share: Share,
        folder: Path,
        watch: Watch,
        model: Model = ModelExecutor,
        heard: Heard = lambda *_: None,
        after: After | None = None,
        cold: bool = False,
        sessions: Sessions | None = None,
        about: About | None = None,
    ) -> None:
        """`about` tells what is known of a result that needs an excuse, where that is not the same for all scripts."""
        self.share = share
        self.machine: Target | None = None
        self.reports = [MachineReport(share.kernel, share.arch)]
        """One report for each machine, in the order they were booted."""
        self.results: list[ScriptResult] = []
        """The results of every round by itself; `harness.run.rounds.summed` makes one a script and lane of them."""
        self.evidence: list[Evidence] = []
        """What other lanes may say otherwise, of every round by itself. Scripts made at random are many: of them, those
        of which something is open on a lane of this worker."""
        self.unkept: dict[str, Exception] = {}
        """What could not be written in the run folder, and why."""
        self.failure: HilError | None = None
        """What ended it before every script had run, unless that was scripts which machines died of; None when nothing
        did. Those left have a verdict that says so."""
        self.clock = PhaseClock()
        self._predictions = Predictions(len(share.engines))
        self._judged: Counter[tuple[str, str]] = Counter()
        """Results so far by lane and script; a look through all of them for every round would never end."""
        self.place = f"{share.kernel}/{share.arch}"
        self._progress = _Progress(self)
        self._folder = folder
        self._suspects: set[str] = set()  # run alone: they shared a process in which an agent or a machine ended
        self._stopped = self._missed = False  # the machine that runs now missed a script, which pays for its end
        self._given_up = False  # after REPLACEMENTS
        self._watch = watch
        self._model = model
        self._heard = heard
        self._cold = cold
        self._after = after
        self._sessions = sessions or open_session
        self._about = about or (lambda _: self.share.known)

    @property
    def report(self) -> MachineReport:
        """Returns the report of the machine that runs now, or ran last."""
        return self.reports[-1]

    def run(self) -> None:
        """Fill `reports` and `results`: every script gets a verdict on every lane in every round, whatever happens."""
        try:
            with self.clock.on(self.place, "other"):
                self._run()
        except store.NotCached as error:
            self._rest(Verdict.UNSUPPORTED, error)
        except MachineLost as error:
            self._rest(Verdict.LOST, error)
        except HilError as error:
            # What fails when we are ended fails of that.
            self._rest(Verdict.LOST if self._stopped else Verdict.ERROR, error)
        except OSError as error:
            self._rest(Verdict.ERROR, os_error(error, self._folder), traceback.format_exc())
        except Exception as error:
            # An error here must not lose other machines' results; it is reported as an internal one.
            known, trace = exhausted(error), traceback.format_exc()
            self._rest(Verdict.ERROR, known or BenchError(f"internal error: {error!r}"), "" if known else trace)
        finally:
            if self.share.random:
                open_here = {one.script for one in self.evidence if one.open}
                self.evidence = [one for one in self.evidence if one.script in open_here]
            self.say("done")

    def stop(self) -> None:
        """Ends the machine while the worker uses it; called from another thread."""
        self._stopped = True
        if self.machine is not None:
            self.machine.stop()

    def say(self, line: str) -> None:
        """Reports a line to the watch."""
        self._watch.state(self.share, line)

    def warn(self, line: str) -> None:
        """Reports a warning to the watch and in the report of the machine; once."""
        if line not in self.report.warnings:
            self._know(warnings=(*self.report.warnings, line))
            self.say(f"warning: {line}")

    def takes(self, machine: Target) -> None:
        """The machine that is about to start is the worker's; MachineLost when the worker was stopped."""
        self.machine = machine
        self._go_on()  # looked at behind the machine's making, as `stop` looks the other way round

    def _go_on(self) -> None:
        if self._stopped:
            raise MachineLost("the run was stopped before the machine was started")

    def _run(self) -> None:
        self._go_on()
        bootable = self.share.board or self.share.ready or prepare(self.share.kernel, self.share.arch, self._progress)
        kernel = bootable.kernel
        self._know(provenance=dict(kernel.provenance))
        losses = 0
        for number in count(1):
            done, suspects, self._missed = len(self.results), len(self._suspects), False
            try:
                self._serve(bootable, number)
                return
            except MachineLost as loss:
                # A machine that ran nothing would be followed by another such; the loss of a group happens once, since
                # the next machine runs its scripts alone.
                found = len(self._suspects) > suspects
                losses += not found
                idle = len(self.results) == done and not found
                self._given_up = losses > REPLACEMENTS and not idle
                if self._stopped or self._given_up or idle:
                    raise
                self._know(trouble=f"{loss}\n{loss.details}".strip())
                if not self._missed:
                    self._charge(loss)
                self.say(f"lost a machine, goes on with another: {loss}")
                self.reports.append(MachineReport(kernel.name, kernel.arch.name, provenance=dict(kernel.provenance)))

    def _serve(self, bootable: Bootable | OnBoard, number: int) -> None:
        """Boot the share's machine `number`, or take its board, and run on it what has no result yet."""
        folder = self._folder / (self.share.name if number == 1 else f"{self.share.name}-{number}")
        self.machine = None
        try:
            with self._sessions(bootable, folder, self._progress, cold=self._cold) as session:
                self._know_session(session)
                if self.share.armed and session.environment(self.share.engines[0]).rules.entry_probes:
                    with self.clock.on(self.place, str(Phase.SSH)):
                        session.executor.keep_probes(self.share.armed, self.share.together)
                for visit in self._visits():
                    self._visit(visit, session)
                self._settle(session)
        finally:
            if self.machine is not None:
                self._account_for(self.machine)

    def _know_session(self, session: Session[Target]) -> None:
        """Records what is known of a machine at its start."""
        self._know(
            uname=session.facts.uname,
            qemu_version=session.target.emulator,
            boot_seconds=round(session.boot_seconds, 2),
            restored=session.restored,
            console=self._console(session.target),
        )

    def _account_for(self, target: Target) -> None:
        """Records what is known of a target at its end."""
        self._know(command=tuple(target.command), postmortem=target.postmortem)
        for warning in target.warnings:
            self.warn(warning)
        if lacks := target.log_lacks:
            self.unkept[self._console(target)] = BenchError(f"QEMU could not write {lacks} bytes of it")

    @property
    def _postmortem(self) -> PostMortem | None:
        return self.machine.postmortem if self.machine else None

    def _lost(self, lane: str, script: str, reason: str) -> ScriptResult:
        return ScriptResult(lane, script, Verdict.LOST, reason, postmortem=self._postmortem)

    def _console(self, target: Target) -> str:
        return "" if target.console_log is None else str(target.console_log.relative_to(self._folder))

    def _visit(self, visit: Visit, session: Session[Target]) -> None:
        todo = list(self._unjudged(visit))
        if not todo:
            return
        lane = visit.lane
        on = " on two CPUs" if visit.two_cpus else ""
        which = f", round {visit.round} of {self.share.rounds}" if self.share.rounds > 1 else ""
        self.say(f"running {lane.engine}{on}{which}")
        executor = session.executor
        try:
            with self.clock.on(lane, str(Phase.ENGINE)):
                executor.switch(lane.engine)
        except EngineUnavailable as error:
            for script in todo:
                self._add(lane, ScriptResult(str(lane), script.name, Verdict.UNSUPPORTED, str(error)))
            return
        environment = session.environment(lane.engine)
        missing = {script.name: unmet(script.needs, environment) for script in todo}
        for script in todo:
            if reason := missing[script.name]:
                self._add(lane, ScriptResult(str(lane), script.name, Verdict.UNSUPPORTED, reason))
        able = [script for script in todo if not missing[script.name]]
        if able and visit.two_cpus:
            with self.clock.on(self.place, "second CPU"):
                session.bring_up_cpus()
        model, witness = self._model(environment), Witness.of(lane, environment)
        heard: list[Compared] = []
        try:
            again = [script for script in able if script.name in self._suspects]
            others = [script for script in able if script.name not in self._suspects]
            for seen in self.clock.each(lane, "guest", executor.run(others, together=self.share.together)):
                if isinstance(seen, Missed) and seen.shared:
                    self._suspects.add(seen.script.name)
                    self._missed = True
                    again.append(seen.script)
                    continue
                result = self._judge(lane, seen, model, witness, heard)
                if self._doubtful(seen, result, executor):
                    again.append(seen.script)
                else:
                    self._missed |= isinstance(seen, Missed)
                    self._add(lane, result)
            for seen in self.clock.each(lane, "guest", executor.run(again)) if again else ():
                self._missed |= isinstance(seen, Missed)
                self._add(lane, self._judge(lane, seen, model, witness, heard))
        finally:
            if self._after:
                with self.clock.on(lane, "explanations"):
                    self._after(lane, session, heard)

    def _doubtful(self, seen: Observed | Missed, result: ScriptResult, executor: GuestExecutor) -> bool:
        """Whether a script is run again by itself: a trace event that others used before did not take its program."""
        if not isinstance(seen, Observed) or result.verdict is not Verdict.DIVERGE or result.operation is None:
            return False
        at_event = isinstance(seen.script.operations[result.operation.index], OpenEvent | Attach)
        return at_event and bool(slots(seen.script, 0, executor.kept))

    def _settle(self, session: Session[Target]) -> None:
        """Waits until it is sure that the machine outlived its scripts; one that did not is a loss of the last one."""
        try:
            session.executor.settle()
        except MachineLost as loss:
            if self._stopped:
                raise
            paid = {Verdict.LOST, *([Verdict.KNOWN] if self._missed else [])}  # it was lost of a fault that is known
            ran = [n for n, result in enumerate(self.results) if result.verdict is not Verdict.UNSUPPORTED]
            if ran and (last := self.results[ran[-1]]).verdict not in paid:
                lost = self._lost(last.lane, last.script, f"behind it: {loss}")
                self.results[ran[-1]] = lost
                self._know(trouble=f"{loss}\n{loss.details}".strip())
                self.say(f"lost behind the last script, {last.script}: {loss}")

    def _charge(self, loss: MachineLost) -> None:
        """A machine that died while no script ran is no better than one that died of a script: the next one pays."""
        for visit in self._visits():
            for script in self._unjudged(visit):
                reason = f"before it, with no script under way: {loss}"
                self._add(visit.lane, self._lost(str(visit.lane), script.name, reason))
                return

    def _judge(
        self, lane: Lane, seen: Observed | Missed, model: ModelExecutor, witness: Witness, heard: list[Compared]
    ) -> ScriptResult:
        try:
            with self.clock.on(lane, "model"):
                predictions = self._predictions.of(model, seen)
            self._heard(seen, predictions)
            if self._after:
                heard.append((seen, predictions))
            with self.clock.on(lane, "comparison"):
                result = verdict(lane, seen, predictions)
                if isinstance(seen, Observed):
                    told = evidence(witness, seen.script, predictions[: result.judged.total], seen.outcomes)
                    self.evidence += [told] if told else []
                if result.verdict is Verdict.DIVERGE:
                    result = excuse_faulty(result, seen, model.environment, self._about(result))
                left = seen.postmortem if isinstance(seen, Missed) else None
                return replace(result, postmortem=left, unexpected=() if self.share.random else result.unexpected)
        except Exception as error:
            # A fault of the model or of a reader costs the script it shows in, not what comes behind it.
            self._know(trouble=traceback.format_exc())
            return ScriptResult(str(lane), seen.script.name, Verdict.ERROR, f"internal error: {error!r}")

    def _visits(self) -> Iterator[Visit]:
        """Yields every lane once for each round, so that a round meets whatever all lanes left over in the one before;
        first with the scripts for which one CPU is enough."""
        rounds = range(1, self.share.rounds + 1)
        return (Visit(*which) for which in product((False, True), rounds, self.share.lanes))

    def _unjudged(self, visit: Visit) -> Iterator[Script]:
        lane = str(visit.lane)
        return (script for script in visit.of(self.share.scripts) if self._judged[lane, script.name] < visit.round)

    def _know(self, **facts: Any) -> None:
        self.reports[-1] = replace(self.report, **facts)

    def _add(self, lane: Lane, result: ScriptResult) -> None:
        if result.verdict in EXCUSED:
            result = excuse(result, self._about(result))
        self.results.append(result)
        self._judged[result.lane, result.script] += 1
        self._watch.done(lane, result)

    def _rest(self, verdict: Verdict, failure: HilError, trace: str = "") -> None:
        """Gives the same verdict to all results that have none; the first has what was left of the guest."""
        failure.details = failure.details or trace
        self.failure, reason = None if self._given_up else failure, str(failure)
        self._know(trouble=f"{reason}\n{failure.details}".strip())
        left = self._postmortem if verdict is Verdict.LOST else None
        for visit in self._visits():
            for script in tuple(self._unjudged(visit)):
                self._add(visit.lane, ScriptResult(str(visit.lane), script.name, verdict, reason, postmortem=left))
                left = None
