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
from harness.fuzz.finding.shrinking import shrink
from harness.fuzz.finding.values import values_of
from harness.fuzz.known import known
from harness.fuzz.standalone.program import Found, NotInC, in_c
from harness.isa.table import find
from harness.lane import Lane
from harness.lowering.executor import Observed
from harness.model.executor import ModelExecutor
from harness.run.faulty import judge_knowing
from harness.run.judging import predict
from harness.run.results import ScriptResult
from harness.script.operations import LoadProgram, Script
from harness.script.outcome import Unpredicted
from harness.session import Session
from hil.target import Target

_log = logging.getLogger(__name__)

_ERRNO = re.compile(r"E[A-Z0-9]+")
_TELLING = ("LookupElement", "RunSocketFilter")
NUMBER = "number"
"""Stands for the operations that tell a number which a program gave."""
MOST = 5000
"""The most scripts that are tried for one finding, which is minutes on a slow guest."""


@dataclass(frozen=True)
class Kind:
    """What a finding and a smaller one have in common: the verdict, the type of the operation, which of the two said
    an errno, and which one, and whose error it is. Where a number that a program gave differs, it is the same whether a
    map or a verdict tells it."""

    verdict: Verdict
    operation: str
    predicted: str
    observed: str
    blame: str

    @classmethod
    def of(cls, result: ScriptResult) -> Kind:
        step = result.operation
        operation = step.operation.partition("(")[0] if step else ""
        predicted, observed = (_errno(step.prediction), _errno(step.observation)) if step else ("", "")
        told = operation in _TELLING and not (predicted or observed)
        return cls(result.verdict, NUMBER if told else operation, predicted, observed, str(result.blame or ""))


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
    left = MOST

    def same(scripts: Sequence[Script]) -> list[bool]:
        nonlocal left
        tried, left = scripts[:left], max(0, left - len(scripts))
        able = [one for one in tried if not _deadly(one, model)]
        for seen in session.executor.run(able):
            entries = tuple(known([lane], [seen.script]))
            try:
                judged = judge_knowing(lane, seen, model, entries)
            except Exception:  # A fault of the model is another finding: of this one, something else may show the same.
                _log.exception("%s: the model failed at a smaller %s", lane, script.name)
                continue
            if Kind.of(judged) == wanted and isinstance(seen, Observed):
                shown[seen.script] = judged, seen
        return [one in shown for one in scripts]

    there = same([script])[0]
    smallest = shrink(script, same, partial(values_of, model), wanted.operation == NUMBER) if there else script
    if smallest not in shown:
        return Shrunk(result, smallest, result, size(script), why_no_c="it did not come again")
    judged, seen = shown[smallest]
    found = Shrunk(result, smallest, judged, size(script))
    try:
        return replace(found, c=_in_c(session, lane, judged, seen, model))
    except NotInC as reason:
        return replace(found, why_no_c=str(reason))
    except Exception as error:  # A fault of the bench, at a script that is smaller all the same.
        _log.exception("%s: there is no C program of a smaller %s", lane, script.name)
        return replace(found, why_no_c=f"the bench failed at it: {type(error).__name__}: {error}")


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


def _errno(text: str) -> str:
    found = _ERRNO.match(text)
    return found[0] if found else ""
