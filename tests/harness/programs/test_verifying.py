# SPDX-License-Identifier: MIT
"""What becomes of a program: the command's answer is the lane's, whatever the program, kernel and engine."""

from __future__ import annotations

import pytest

from harness.fuzz.generate import cases
from harness.lane import Engine
from harness.model.eras import ERAS
from harness.model.executor import ModelExecutor
from harness.programs.verifying import verify
from harness.script.operations import CreateMap, LoadProgram
from harness.script.outcome import Outcome, Unpredicted
from tests.harness.model.running import environment


@pytest.mark.parametrize("name", ERAS)
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize("engine", Engine)
def test_the_command_says_what_the_lane_says(name: str, arch: str, engine: Engine) -> None:
    lane = environment(name, arch, engine=str(engine))
    model, answers = ModelExecutor(lane), set()
    for script in cases(3, 60, lane.rules):
        maps = [one for one in script.operations if isinstance(one, CreateMap)]
        for operation, said in zip(script.operations, model.run(script), strict=True):
            if not isinstance(operation, LoadProgram):
                continue
            verdict = verify(lane, maps, operation).verdict
            if isinstance(said, Unpredicted):
                assert isinstance(verdict, Unpredicted) or verdict.doubt
            else:
                assert isinstance(said, Outcome) and not isinstance(verdict, Unpredicted)
                assert said.errno in (verdict.errno, "ENOSPC")  # which is the log's, and the command's has room
            answers.add(type(said))
    assert Outcome in answers
