"""One machine's share of a run, from the kernel's image to the last verdict."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from harness.compare import Comparison, Verdict, compare
from harness.lane import Lane
from harness.lowering.context import Guest
from harness.lowering.executor import EngineUnavailable, GuestExecutor, Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.run.plan import Share
from harness.run.results import MachineReport, OperationReport, ScriptResult
from harness.run.watch import Watch
from harness.script.operations import Script
from harness.script.outcome import Outcome, Prediction
from harness.script.text import describe, describe_outcome
from hil import guestroot
from hil.arch import architecture
from hil.errors import HilError, MachineLost
from hil.kernels import store
from hil.kernels.kernel import Kernel
from hil.machine import Machine, MachineSpec

Model = Callable[[Environment], ModelExecutor]
"""Makes the model of a lane."""


class Worker:
    """Runs one share. `machine` is there while it runs, so that an impatient user's Ctrl-C can stop it."""

    def __init__(self, share: Share, folder: Path, watch: Watch, model: Model = ModelExecutor) -> None:
        self.share = share
        self.machine: Machine | None = None
        self.report = MachineReport(share.kernel, share.arch)
        self.results: list[ScriptResult] = []
        self._folder = folder / share.name
        self._watch = watch
        self._model = model

    def run(self) -> None:
        """Fill `report` and `results`: every script gets a verdict on every lane, whatever happens."""
        try:
            self._run()
        except store.NotAtHand as error:
            self._rest(Verdict.UNSUPPORTED, str(error))
        except MachineLost as error:
            self._rest(Verdict.LOST, str(error), details=error.details)
        except HilError as error:
            self._rest(Verdict.ERROR, str(error), details=error.details)
        except Exception as error:
            # A fault of ours must not take other machines' results with it; it is told as what it is.
            self._rest(Verdict.ERROR, f"internal error: {error!r}", details=traceback.format_exc())
        finally:
            self._watch.state(self.share, "done")

    def stop(self) -> None:
        """End the machine under the worker's feet; from another thread."""
        if self.machine is not None:
            self.machine.stop()

    def _run(self) -> None:
        self._watch.state(self.share, "kernel")
        kernel = store.get(
            self.share.kernel, architecture(self.share.arch), notify=lambda line: self._watch.state(self.share, line)
        )
        self.report = replace(self.report, provenance=dict(kernel.provenance))
        self._watch.state(self.share, "guest root")
        root = guestroot.build(kernel)
        self._watch.state(self.share, "booting")
        started = time.monotonic()
        self.machine = Machine(MachineSpec(kernel, root, self._folder))
        try:
            with self.machine:
                guest = Guest(arch=self.share.arch, version_code=version_code(kernel.version))
                with GuestExecutor(self.machine, guest) as executor:
                    self._booted(self.machine, time.monotonic() - started)
                    for lane in self.share.lanes:
                        self._lane(lane, kernel, executor)
        finally:
            self.report = replace(self.report, command=tuple(self.machine.command))

    def _booted(self, machine: Machine, seconds: float) -> None:
        uname = machine.run(["uname", "-a"]).stdout.decode(errors="replace").strip()
        self._watch.state(self.share, f"booted in {seconds:.1f} s: {uname}")
        self.report = replace(
            self.report,
            uname=uname,
            qemu_version=machine.qemu_version,
            boot_seconds=round(seconds, 2),
            console=str(machine.spec.console_log.relative_to(self._folder.parent)),
        )

    def _lane(self, lane: Lane, kernel: Kernel, executor: GuestExecutor) -> None:
        self._watch.state(self.share, f"running {lane.engine}")
        try:
            executor.switch(lane.engine)
        except EngineUnavailable as error:
            for script in self.share.scripts:
                self._add(lane, ScriptResult(str(lane), script.name, Verdict.UNSUPPORTED, str(error)))
            return
        model = self._model(
            Environment(
                era=kernel.era,
                arch=lane.arch,
                engine=str(lane.engine),
                version_code=executor.guest.version_code,
                cpus=executor.agent.hello.cpus,
            )
        )
        for seen in executor.run(self.share.scripts):
            self._add(lane, judge(lane, seen, model))

    def _add(self, lane: Lane, result: ScriptResult) -> None:
        self.results.append(result)
        self._watch.done(lane, result)

    def _rest(self, verdict: Verdict, reason: str, details: str = "") -> None:
        """Give the same verdict to whatever has none."""
        self.report = replace(self.report, trouble=f"{reason}\n{details}".strip())
        judged = {(result.lane, result.script) for result in self.results}
        for lane in self.share.lanes:
            for script in self.share.scripts:
                if (str(lane), script.name) not in judged:
                    self._add(lane, ScriptResult(str(lane), script.name, verdict, reason))


def judge(lane: Lane, seen: Observed | Missed, model: ModelExecutor) -> ScriptResult:
    """The verdict on one script: what the guest said, held against what the model says."""
    script = seen.script
    if isinstance(seen, Missed):
        return ScriptResult(str(lane), script.name, Verdict.LOST, seen.reason, _missed(seen))
    predictions = model.run(script)
    comparison = compare(script, predictions, seen.outcomes)
    result = ScriptResult(
        str(lane),
        script.name,
        comparison.verdict,
        unpredicted=tuple(_unpredicted(script, comparison, predictions, seen.outcomes)),
        seconds=seen.seconds,
    )
    if found := comparison.divergence:
        report = OperationReport(
            found.index,
            describe(found.operation),
            describe_outcome(found.prediction),
            describe_outcome(found.observation),
        )
        reason = (
            f"operation {report.index}, {report.operation}: predicted {report.prediction}; saw {report.observation}"
        )
        return replace(result, reason=reason, operation=report)
    return result


def _missed(seen: Missed) -> OperationReport | None:
    if seen.operation is None:
        return None
    return OperationReport(seen.operation, describe(seen.script.operations[seen.operation]), "", "(none)")


def _unpredicted(
    script: Script, comparison: Comparison, predictions: Sequence[Prediction], outcomes: Sequence[Outcome]
) -> Iterator[OperationReport]:
    for index, _ in comparison.unpredicted:
        operation = describe(script.operations[index])
        yield OperationReport(index, operation, describe_outcome(predictions[index]), describe_outcome(outcomes[index]))


def version_code(version: str) -> int:
    """LINUX_VERSION_CODE of a version such as "6.1.192"; the top Makefile lets a sublevel above 255 count as 255."""
    major, minor, sublevel = (int(part) for part in [*version.split("."), "0"][:3])
    return major << 16 | minor << 8 | min(sublevel, 255)
