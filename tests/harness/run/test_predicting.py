# SPDX-License-Identifier: MIT
"""Which predictions serve the other engine as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from harness.isa.assemble import Helper, call, exit_, mov64_imm, program
from harness.isa.opcodes import R0
from harness.lane import Engine
from harness.lowering.executor import Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.run.predicting import Predictions
from harness.script.operations import CreateMap, LoadProgram, MapType, ProgramType, Script
from harness.script.outcome import Outcome, Prediction

INTERP = Environment("6.1", "x86_64", 0x601C0)
JIT = replace(INTERP, engine=Engine.JIT)
SCRIPT = Script("script", "", (CreateMap("map", MapType.ARRAY, 4, 8, 1),))
MADE = (Outcome(value=3),)


class Asked(ModelExecutor):
    """Counts what it is asked."""

    count = 0

    def run(self, script: Script, end: int | None = None, seen: Sequence[Outcome] = ()) -> list[Prediction]:
        Asked.count += 1
        return super().run(script, end, seen)


@pytest.fixture(autouse=True)
def nobody_asked() -> Iterator[None]:
    Asked.count = 0
    yield


def test_what_holds_for_both_engines_is_asked_once() -> None:
    predictions = Predictions(2)
    first = predictions.of(Asked(INTERP), Observed(SCRIPT, MADE, 0.0))
    assert predictions.of(Asked(JIT), Observed(SCRIPT, MADE, 0.0)) == first == ModelExecutor(JIT).run(SCRIPT)
    assert Asked.count == 1


@pytest.mark.parametrize(
    ("environment", "seen"),
    [
        (JIT, Observed(SCRIPT, (Outcome(errno="ENOMEM"),), 0.0)),  # by which the model goes on where it has no word
        (replace(JIT, cpus=2), Observed(SCRIPT, MADE, 0.0)),
        (JIT, Missed(SCRIPT, 0, "its process was killed")),
        (JIT, Observed(replace(SCRIPT, name="another"), MADE, 0.0)),
    ],
)
def test_what_may_be_otherwise_is_asked_again(environment: Environment, seen: Observed | Missed) -> None:
    predictions = Predictions(2)
    predictions.of(Asked(INTERP), Observed(SCRIPT, MADE, 0.0))
    predictions.of(Asked(environment), seen)
    assert Asked.count == 2


def test_nothing_is_kept_for_one_engine_or_for_a_third_time() -> None:
    alone, both = Predictions(1), Predictions(2)
    for predictions in (alone, both):
        for environment in (INTERP, JIT, JIT):
            predictions.of(Asked(environment), Observed(SCRIPT, MADE, 0.0))
    assert Asked.count == 3 + 2


def test_what_depends_on_the_engine_is_asked_for_each() -> None:
    code = program(call(Helper.TAIL_CALL), mov64_imm(R0, 0), exit_())
    script = Script("script", "", (LoadProgram("program", ProgramType.KPROBE, code),))
    predictions = Predictions(2)
    for environment in (INTERP, JIT):
        predictions.of(Asked(environment), Observed(script, (Outcome(errno="EACCES"),), 0.0))
    assert Asked.count == 2
