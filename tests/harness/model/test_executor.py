# SPDX-License-Identifier: MIT
"""The executor itself: a fault planted on purpose, steps that are watched, names given twice."""

from __future__ import annotations

import pytest

from harness.isa.instruction import Instruction
from harness.model.eras import era
from harness.model.executor import ModelExecutor
from harness.model.instructions.table import instruction_table
from harness.model.interpreter import Step
from harness.model.state import State
from harness.script.operations import (
    Close,
    CreateMap,
    LoadProgram,
    MapType,
    OpenFile,
    Program,
    ProgramType,
    ReadCount,
    Ref,
    Script,
)
from harness.script.outcome import Outcome
from harness.script.processes import Exit, Fork
from tests.harness.model.running import environment
from tests.harness.model.scripts import (
    ALL,
    ATTACH,
    EVENT,
    FIRE,
    MAP,
    PROBE,
    counting,
    read,
    results,
    returning,
)


def test_a_planted_fault_changes_predictions() -> None:
    def broken(state: State, instruction: Instruction) -> None:
        state.registers[instruction.dst] = 5

    script = Script("s", "s", (MAP, counting("program", 1), PROBE, EVENT, ATTACH, FIRE, ReadCount(Ref("event"))))
    table = {**instruction_table(era("4.1", "x86_64")), "atomic_add_dw": broken, "mov64_imm": broken}
    right = ModelExecutor(environment()).run(script)
    wrong = ModelExecutor(environment(), instructions=table).run(Script("s", "s", (*script.operations[:6], read())))
    assert right[-1] == Outcome(value=1)
    assert isinstance(wrong[-1], Outcome) and wrong[-1].data == bytes(8)


def test_every_step_can_be_watched() -> None:
    steps: list[Step] = []
    script = Script("s", "s", (returning("program", 7), PROBE, EVENT, ATTACH, FIRE))
    ModelExecutor(environment(), sink=steps.append).run(script)
    assert [(step.pc, step.instruction.code) for step in steps] == [(0, 0xB7), (1, 0x95)]
    assert steps[0].after[0] == 7 and steps[0].before[10] is steps[0].after[10]


@pytest.mark.parametrize("name", ALL)
def test_a_name_given_again_stands_for_nothing_when_the_second_making_fails(name: str) -> None:
    """In a child, where the name is another one."""
    for broken, error in (
        (CreateMap("x", MapType.HASH, 0, 8, 1), "EINVAL"),
        (LoadProgram("x", ProgramType.SOCKET_FILTER, Program(())), "E2BIG"),
    ):
        script = (OpenFile("x"), Fork(), broken, Close(Ref("x")), Exit(), Close(Ref("x")))
        assert results(*script, name=name) == ["ok", 0, error, "EBADF", 0, 0]
