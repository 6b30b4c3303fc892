# SPDX-License-Identifier: MIT
"""A model with a mistake, held against the right one, which stands for a kernel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

from harness.compare import Verdict
from harness.fuzz.generate import case
from harness.fuzz.known import known
from harness.isa.instruction import Instruction
from harness.lane import Engine, Lane
from harness.lowering.context import Guest
from harness.lowering.executor import Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.instructions.table import Table, instruction_table
from harness.model.state import State
from harness.run.judging import judge
from harness.run.known import excuse
from harness.run.results import ScriptResult
from harness.script.operations import Script
from harness.script.outcome import Outcome

LANE = Lane("debian-12", "x86_64", Engine.INTERP)
WHERE = Environment(era="6.1", arch="x86_64", version_code=6 << 16 | 1 << 8 | 192)
RIGHT = ModelExecutor(WHERE)


class Kernel:
    """What the right model predicts is what happens; scripts of which it does not know everything are missed."""

    guest = Guest("x86_64", WHERE.version_code)

    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed | Missed]:
        for script in scripts:
            predictions = RIGHT.run(script)
            outcomes = [one for one in predictions if isinstance(one, Outcome)]
            known = len(outcomes) == len(predictions)
            yield Observed(script, tuple(outcomes), 0.001) if known else Missed(script, None, "it is not known")


SESSION: Any = SimpleNamespace(executor=Kernel())


def mistaken(name: str) -> ModelExecutor:
    """Returns a model in which one instruction does nothing."""

    def nothing(state: State, instruction: Instruction) -> None:
        pass

    table: Table = {**instruction_table(WHERE.rules), name: nothing}
    return ModelExecutor(WHERE, instructions=table)


def first_difference(model: ModelExecutor, seed: int = 1, most: int = 400) -> tuple[Script, ScriptResult]:
    """Returns the first case in which a model differs from the right one."""
    for number in range(most):
        script = case(seed, number, WHERE.rules)
        (seen,) = Kernel().run([script])
        result = excuse(judge(LANE, seen, model), tuple(known([LANE], [script])))
        if result.verdict is Verdict.DIVERGE:
            return script, result
    raise AssertionError(f"no difference in {most} cases")
