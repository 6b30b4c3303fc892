# SPDX-License-Identifier: MIT
"""The guest of a lane, as tests use it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from harness.abi.pt_regs import PtRegs
from harness.compare import Verdict
from harness.judged import Judged
from harness.lane import Lane
from harness.lowering.executor import GuestExecutor, Missed, Observed
from harness.lowering.refusals import logs, reasons
from harness.model.executor import ModelExecutor
from harness.pytest_plugin.failures import Diverged, LoadFailed, ScriptLost, UnexpectedFailure, Unjudged, users_level
from harness.pytest_plugin.objects import Loaded, loaded, resolve
from harness.pytest_plugin.peers import Peers
from harness.pytest_plugin.places import not_there
from harness.report.account import around, finding
from harness.run.faulty import judge_knowing
from harness.run.judging import judge, predict, verdict
from harness.run.known import KnownDivergence, about
from harness.run.needs import unmet
from harness.run.results import ScriptResult
from harness.run.texts import text
from harness.script.brief import brief
from harness.script.clause import Step, script_of
from harness.script.malformed import Malformed
from harness.script.needs import Need
from harness.script.operations import FindTracepoint, Operation, Script
from harness.script.outcome import Outcome
from harness.script.text import describe, describe_outcome
from harness.session import Session
from hil.machine import Machine

EXCERPT = 40
"""The lines of the console that a report shows."""
_THIRD = "test"
"""What carries expectations here, beside kernel and model."""


@dataclass(repr=False)
class LaneGuest:
    """The guest of one test. Its changes to the guest may be visible to later tests."""

    test: str
    lane: Lane
    session: Session[Machine]
    folder: Path = Path()
    """The folder of the test: files that it names are relative to it."""
    require_predicted: bool = False
    """Whether an operation that nothing predicts fails the test."""
    peers: Peers = field(default_factory=Peers)
    """The lanes that the same test ran on before."""
    examine: Callable[[Lane, Script, ScriptResult], ScriptResult] = lambda lane, script, result: result
    """Adds to a result that is not as predicted what another run of the script tells of it."""
    model: ModelExecutor = field(init=False)
    judged: Judged = field(init=False, default=Judged())
    """The counts for everything that was checked."""
    _checks: int = field(init=False, default=0)
    _seen: list[Observed] = field(init=False, default_factory=list)
    _findings: list[str] = field(init=False, default_factory=list)
    """Descriptions of each script that did not behave as expected: what is wrong, and the script."""
    _prepared: list[tuple[str, Loaded]] = field(init=False, default_factory=list)
    """What `attach` and `load` gave, by their calls."""
    _begin: int = field(init=False)

    def __post_init__(self) -> None:
        self.model = ModelExecutor(self.session.environment(self.lane.engine))
        self._begin = len(self._console())

    def __repr__(self) -> str:
        return f"<guest of {self.lane}>"

    @property
    def machine(self) -> Machine:
        """Returns the machine, booted: run commands, read its console."""
        return self.session.target

    @property
    def executor(self) -> GuestExecutor:
        """Returns the executor that runs scripts in the guest."""
        return self.session.executor

    @property
    def registers(self) -> PtRegs:
        """Returns the context of a kprobe program here: where arguments and the result are."""
        return self.model.environment.registers

    def run(self, *steps: Script | Operation | Step) -> tuple[Outcome, ...]:
        """Runs operations, or one whole script; returns an outcome for each. Raises ScriptLost when the guest does not
        end them.

        Nothing is compared: raises Malformed for a step made by `expect`, which would pass with any outcome.
        """
        __tracebackhide__ = True
        if any(isinstance(step, Step) for step in steps):
            raise Malformed("`run` compares no expectations", remedy="use `check`, or leave `expect` out")
        return self.run_object((), steps)

    def check(self, *steps: Script | Operation | Step) -> tuple[Outcome, ...]:
        """Runs operations, or one whole script, here and in the model; returns the guest's outcomes, if both agree.

        Raises Diverged when they do not, when a step made by `expect` has another outcome, or when the lanes that the
        test ran on before contradict this one where nobody predicts anything and no rule explains it. Skips the test
        when the script needs what the lane does not have, and when the model predicts nothing of it. Warns with
        Unjudged for every other operation that neither the model nor an `expect` predicts; with `require_predicted`
        that is raised, also instead of a skip. Raises ProbeFailed when the kernel has no function or tracepoint of a
        name, or takes no probe on it, and no `expect` says so. Warns with UnexpectedFailure for every other operation
        that failed without an `expect` for it, with the verifier's reason for a program that was refused.
        """
        __tracebackhide__ = True
        return self.check_object((), steps)

    def run_object(
        self, loading: Sequence[Operation], steps: Sequence[Script | Operation | Step]
    ) -> tuple[Outcome, ...]:
        """Returns the outcomes of `steps` behind those that load an object, of which none may fail: raises LoadFailed.
        Otherwise as `run`."""
        __tracebackhide__ = True
        seen = self._observe(self._script((*loading, *steps)))
        self._succeeded(seen, loading)
        return seen.outcomes[len(loading) :]

    def check_object(
        self, loading: Sequence[Operation], steps: Sequence[Script | Operation | Step]
    ) -> tuple[Outcome, ...]:
        """Returns the outcomes of `steps` behind those that load an object, of which none may fail: raises LoadFailed.
        Otherwise as `check`."""
        __tracebackhide__ = True
        script = self._script((*loading, *steps))
        if reason := unmet(script.needs, self.model.environment):
            pytest.skip(f"{self.lane}: {reason}")
        seen = self._observe(script)
        predictions = predict(self.model, seen)
        where = self.lane, self.model.environment
        self._checks += 1
        judged = verdict(self.lane, seen, predictions, _THIRD)
        result = self.peers.crosscheck(self._checks, where, seen, predictions, judged)
        self.judged += result.judged
        if result.verdict not in (Verdict.AGREE, Verdict.UNSUPPORTED):
            result = self.examine(self.lane, script, result)
            self._record(script, result)
            raise Diverged(result)
        self._succeeded(seen, loading)
        if failed := not_there(self.session.target, seen, (step.index for step in result.unexpected)):
            raise failed
        unjudged = [
            Unjudged(f"{self.lane}: operation {step.index}, {step.operation}: {step.prediction}")
            for step in result.unpredicted
            if not step.expectation
        ]
        if unjudged and self.require_predicted:
            raise unjudged[0]
        if result.verdict is Verdict.UNSUPPORTED:
            pytest.skip(f"{self.lane}: {result.reason}")
        for warning in unjudged:
            warnings.warn(warning, stacklevel=users_level())
        words = reasons(self.executor, seen) if result.unexpected else {}
        for step in result.unexpected:
            verifier = f" (verifier: {words[step.index]})" if step.index in words else ""
            said = f"{step.operation}: {step.observation}{verifier}, which nobody expected"
            warnings.warn(f"{self.lane}: operation {step.index}, {said}", UnexpectedFailure, stacklevel=users_level())
        return seen.outcomes[len(loading) :]

    def attach(self, file: str | Path, *sections: str, portable: bool = False) -> Loaded:
        """Returns the steps that make the maps of an object file, load the programs of these sections (or names) and
        attach them by their sections; its `check` runs them, with steps of the test behind them.

        A relative `file` is looked for in the folder of the test, then in the current one. Without sections, it is the
        only program of the object. With `portable`, the object's `version` is not used, and system calls are named as
        this kernel names them (`sys_write`, `__x64_sys_write`).

        Raises UserError, with what to do next, for a file or a section that is not there, a program that the bench
        cannot attach, and a function that the running kernel does not have. Skips the test where there are no kprobes.
        """
        __tracebackhide__ = True
        if reason := unmet((Need.KPROBES,), self.model.environment):
            pytest.skip(f"{self.lane}: {reason}")
        made = loaded(self, resolve(file, self.folder), sections, attach=True, portable=portable)
        return self._prepare("attach", (file, *sections), made)

    def load(self, file: str | Path, *sections: str, portable: bool = False) -> Loaded:
        """Returns the steps that load programs of an object file, without attaching them; otherwise as `attach`."""
        __tracebackhide__ = True
        made = loaded(self, resolve(file, self.folder), sections, attach=False, portable=portable)
        return self._prepare("load", (file, *sections), made)

    def never_run(self) -> tuple[str, ...]:
        """Returns the calls of `attach` and `load` of which the test used nothing, so that they did nothing."""
        return tuple(call for call, made in self._prepared if not made.used)

    def judge(
        self, scripts: Sequence[Script], known: Sequence[KnownDivergence] = (), together: int = 1
    ) -> list[ScriptResult]:
        """Returns a verdict on each of many scripts, which are sent to the guest in one exchange; `together` as the
        executor's."""
        understood = about(known, self.model.environment.version_code)
        observed = self.executor.run(scripts, together=together)
        found = [judge_knowing(self.lane, seen, self.model, understood) for seen in observed]
        self.judged = sum((result.judged for result in found), self.judged)
        return found

    def sections(self, *, failed: bool) -> Iterator[tuple[str, str]]:
        """Yields sections for the test's report: what the console printed meanwhile and, on failure, which scripts
        failed and why programs were refused."""
        lines = self._console()[self._begin :].decode(errors="replace").splitlines()[-EXCERPT:]
        log = self.machine.console_log
        yield f"console of {self.lane}, {log}", "\n".join(lines) or "(nothing was printed during the test)"
        if failed:
            yield from ((f"script on {self.lane}", one) for one in self._findings)
            if self._seen and not self._findings:  # as of an `assert` of the test, which may be about any of them
                yield f"last operations on {self.lane}", "\n".join(_operations(self._seen[-1]))
            for program, log_text in logs(self.executor, self._seen):
                yield f"verifier's log of {program!r} on {self.lane}", log_text

    def _prepare(self, method: str, given: Sequence[str | Path], made: Loaded) -> Loaded:
        words = ", ".join(f'"{one}"' for one in given)
        self._prepared.append((f"guest.{method}({words})", made))
        return made

    def _succeeded(self, seen: Observed, loading: Sequence[Operation]) -> None:
        """Raises LoadFailed for the first operation of those that load an object, if one failed; ProbeFailed when it
        is a tracepoint that the kernel does not have."""
        __tracebackhide__ = True
        at = next((index for index, _ in enumerate(loading) if seen.outcomes[index].errno), None)
        if at is not None:
            # `attach` looked for functions beforehand; there, the kernel has the name.
            if isinstance(loading[at], FindTracepoint) and (failed := not_there(self.session.target, seen, [at])):
                raise failed
            words = reasons(self.executor, seen).get(at)
            raise LoadFailed(
                f"{self.lane}: operation {at}, {brief(describe(loading[at]))}: {describe_outcome(seen.outcomes[at])}"
                + (f" (verifier: {words})" if words else "")
                + ", so that the object is not loaded and attached; where the test is about that, state it: "
                '`guest.check(*loaded.expect_load("EACCES"))` for a load, `expect` for another one of `loaded.steps`'
            )

    def _record(self, script: Script, result: ScriptResult) -> None:
        self._findings.append("\n".join((*finding(result, third=_THIRD), *around(text(script), result))))

    def _console(self) -> bytes:
        return self.machine.console_log.read_bytes()

    def _script(self, steps: Sequence[Script | Operation | Step]) -> Script:
        where = self.model.environment
        return script_of(self.test, steps, where.era, where.version_code)

    def _observe(self, script: Script) -> Observed:
        __tracebackhide__ = True
        (seen,) = self.executor.run([script])
        if isinstance(seen, Missed):
            result = replace(judge(self.lane, seen, self.model), postmortem=seen.postmortem)
            at = result.operation
            self._record(script, result)
            if result.verdict is Verdict.KNOWN:
                pytest.xfail(f"{self.lane}: {result.reason}")
            raise ScriptLost(f"{seen.reason}, at operation {at.index}, {at.operation}" if at else seen.reason)
        self._seen.append(seen)
        return seen


def _operations(seen: Observed) -> Iterator[str]:
    """A line for each operation, with its outcome."""
    for index, (operation, outcome) in enumerate(zip(seen.script.operations, seen.outcomes, strict=False)):
        yield f"{index:>4}  {brief(describe(operation))}: {brief(describe_outcome(outcome))}"
