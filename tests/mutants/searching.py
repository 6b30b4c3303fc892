# SPDX-License-Identifier: MIT
"""The search for the first case that shows a planted mistake."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.compare import Verdict
from harness.fuzz.campaign.work import TOGETHER
from harness.fuzz.finding.judging import Shrunk, shrunk
from harness.fuzz.generate import cases
from harness.fuzz.known import known
from harness.isa.table import find
from harness.lane import Lane
from harness.lowering.executor import Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.instructions.table import instruction_table
from harness.run.judging import judge
from harness.run.known import excuse
from harness.run.needs import unmet
from harness.run.results import ScriptResult
from harness.script.operations import LoadProgram, Script
from tests.mutants.planted import Mutant

Found = tuple[Observed | Missed, ScriptResult]
FEW = 8
"""The most instructions of a finding that was made smaller."""


def seen_by(executor: Any, lane: Environment, seed: int, count: int) -> list[Observed | Missed]:
    """Returns what a kernel did in every case that it can run."""
    scripts = [one for one in cases(seed, count, lane.rules) if not unmet(one.needs, lane)]
    return list(executor.run(scripts, together=TOGETHER))


@dataclass(frozen=True)
class Search:
    """A kernel that is right, and what it did in some cases."""

    session: Any
    lane: Lane
    environment: Environment
    seen: Sequence[Observed | Missed]

    def first(self, mutant: Mutant) -> Found | None:
        """Returns the first case in which a model with the mistake differs; None when there is none."""
        model = self.mistaken(mutant)
        for seen in self.seen:
            if mutant.wrong.keys() & opcodes(seen.script):
                result = excuse(judge(self.lane, seen, model), tuple(known([self.lane], [seen.script])))
                if result.verdict is Verdict.DIVERGE:
                    return seen, result
        return None

    def smaller(self, mutant: Mutant, found: Found) -> Shrunk:
        """Returns the least that shows the mistake."""
        return shrunk(self.session, self.lane, found[0].script, found[1], self.mistaken(mutant))

    def mistaken(self, mutant: Mutant) -> ModelExecutor:
        """Returns the model with a mistake."""
        return ModelExecutor(self.environment, instructions=mutant.table(instruction_table(self.environment.rules)))


def opcodes(script: Script) -> set[str]:
    """Returns the names of all opcodes in a script's programs."""
    loads = (one for one in script.operations if isinstance(one, LoadProgram))
    found = (find(instruction) for load in loads for instruction in load.program.instructions)
    return {opcode.name for opcode in found if opcode}
