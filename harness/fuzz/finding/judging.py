# SPDX-License-Identifier: MIT
"""Whether a script still shows on a guest what another one did there."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from harness.compare import Verdict
from harness.fuzz.finding.cutting import size
from harness.fuzz.finding.rewriting import Values
from harness.fuzz.finding.shrinking import shrink
from harness.fuzz.known import known
from harness.fuzz.standalone.program import Found, NotInC, in_c
from harness.isa.table import find
from harness.lane import Lane
from harness.lowering.executor import Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.interpreter import Step
from harness.run.faulty import judge_knowing
from harness.run.judging import predict
from harness.run.results import ScriptResult
from harness.script.operations import LoadProgram, Script
from harness.script.outcome import Unpredicted
from harness.session import Session
from hil.target import Target

_log = logging.getLogger(__name__)

_ERRNO = re.compile(r"E[A-Z0-9]+")


@dataclass(frozen=True)
class Kind:
    """What a finding and a smaller one have in common: the verdict, the type of the operation, which of the two said
    an errno, and which one, and whose error it is."""

    verdict: Verdict
    operation: str
    predicted: str
    observed: str
    blame: str

    @classmethod
    def of(cls, result: ScriptResult) -> Kind:
        step = result.operation
        return cls(
            result.verdict,
            step.operation.partition("(")[0] if step else "",
            _errno(step.prediction) if step else "",
            _errno(step.observation) if step else "",
            str(result.blame or ""),
        )

    def is_like(self, other: Kind) -> bool:
        """Returns whether one may stand for the other: they are the same, but that the one may be told by a map and the
        other by a verdict, where it is a number that differs."""
        told = {self.operation, other.operation} == _TOLD and not (self.predicted or self.observed)
        return self == (replace(other, operation=self.operation) if told else other)


_TOLD = {"LookupElement", "RunSocketFilter"}
"""The operations that tell what a program computed."""


@dataclass(frozen=True)
class Shrunk:
    """A finding and the smallest script that shows the same: `result` is that one's. `opcodes` are those of its
    programs, by which findings of one cause can be told from others."""

    found: ScriptResult
    script: Script
    result: ScriptResult
    before: int
    """Instructions of the case that was found."""
    c: str = ""
    """A C program that shows it, empty where there is none: `why_no_c` says why."""
    why_no_c: str = ""
    whole: str = ""
    """Why nothing smaller could be looked for; empty where it was."""

    @property
    def after(self) -> int:
        return size(self.script)

    @property
    def opcodes(self) -> tuple[str, ...]:
        loads = (one for one in self.script.operations if isinstance(one, LoadProgram))
        found = (find(instruction) for load in loads for instruction in load.program.instructions)
        return tuple(sorted({opcode.name for opcode in found if opcode}))


def whole(script: Script, result: ScriptResult, why: str) -> Shrunk:
    """Returns a finding as it was found, where nothing smaller could be looked for."""
    return Shrunk(result, script, result, size(script), why_no_c="it was not run again", whole=why)


def shrunk(session: Session[Target], lane: Lane, script: Script, result: ScriptResult, model: ModelExecutor) -> Shrunk:
    """Returns what is left of a script that diverged on a lane, on the guest of a session, whose engine is chosen; the
    script itself where it does not do so again."""
    wanted, shown = Kind.of(result), dict[Script, tuple[ScriptResult, Observed]]()

    def same(scripts: Sequence[Script]) -> list[bool]:
        able = [one for one in scripts if not _deadly(one, model)]
        for seen in session.executor.run(able):
            entries = tuple(known([lane], [seen.script]))
            try:
                judged = judge_knowing(lane, seen, model, entries)
            except Exception:  # A fault of the model is another finding: of this one, something else may show the same.
                _log.exception("%s: the model failed at a smaller %s", lane, script.name)
                continue
            if Kind.of(judged).is_like(wanted) and isinstance(seen, Observed):
                shown[seen.script] = judged, seen
        return [one in shown for one in scripts]

    smallest = shrink(script, same, partial(_values, model.environment)) if same([script])[0] else script
    if smallest not in shown:
        return Shrunk(result, smallest, result, size(script), why_no_c="it did not come again")
    judged, seen = shown[smallest]
    left = Shrunk(result, smallest, judged, size(script))
    try:
        return replace(left, c=_in_c(session, lane, judged, seen, model))
    except NotInC as reason:
        return replace(left, why_no_c=str(reason))
    except Exception as error:  # A fault of the bench, at a script that is smaller all the same.
        _log.exception("%s: there is no C program of a smaller %s", lane, script.name)
        return replace(left, why_no_c=f"the bench failed at it: {type(error).__name__}: {error}")


def _in_c(session: Session[Target], lane: Lane, judged: ScriptResult, seen: Observed, model: ModelExecutor) -> str:
    if judged.operation is None:
        raise NotInC("no operation of it differs")
    at = judged.operation.index
    found = Found(lane, seen.script, at, predict(model, seen), seen.outcomes[at])
    return in_c(found, session.executor.guest)


def _deadly(script: Script, model: ModelExecutor) -> bool:
    """Whether it may crash the kernel, as far as the model knows; what it fails at may."""
    try:
        return any(isinstance(one, Unpredicted) and one.deadly for one in model.run(script))
    except Exception:
        _log.exception("the model failed at a smaller %s", script.name)
        return True


def _values(environment: Environment, script: Script) -> Values:
    """Returns what the instructions of the script's program give when it runs, in the model, for the last time."""
    found: dict[int, int] = {}

    def note(step: Step) -> None:
        given = step.after[step.instruction.dst] if step.instruction.dst < len(step.after) else None
        if isinstance(given, int):
            found[step.pc] = given
        else:
            found.pop(step.pc, None)

    try:
        ModelExecutor(environment, sink=note).run(script)
    except Exception:
        _log.exception("the model failed at a smaller %s", script.name)
        return {}
    return found


def _errno(text: str) -> str:
    found = _ERRNO.match(text)
    return found[0] if found else ""
