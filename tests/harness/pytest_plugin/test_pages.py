# SPDX-License-Identifier: MIT
"""The tests that docs/tests.md shows, with the model in the place of the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.abi.pt_regs import pt_regs
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.script.clause import Step, script_of
from harness.script.operations import Operation
from harness.script.outcome import Outcome, Prediction

PAGE = Path(__file__).parents[3] / "docs/tests.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def shown() -> dict[str, Callable[[Any], None]]:
    found: dict[str, Any] = {}
    for block in BLOCKS:
        exec(compile(block, PAGE.name, "exec"), found)
    return {name: one for name, one in found.items() if name.startswith("test_")}


class Predicted:
    """A guest that does what the model predicts."""

    def __init__(self, arch: str) -> None:
        self.registers = pt_regs(arch, "6.1")
        self.stated = 0
        self._environment = Environment("6.1", arch, 0x601C0)

    def check(self, *steps: Operation | Step) -> list[Prediction]:
        script = script_of("shown", steps, "6.1", self._environment.version_code)
        predictions = ModelExecutor(self._environment).run(script)
        stated = [(said, predictions[at]) for at, said in enumerate(script.expected) if said is not None]
        self.stated += len(stated)
        for said, predicted in stated:
            assert isinstance(predicted, Outcome) and predicted.errno == said.errno
            assert said.errno or predicted.data == said.data
        return predictions


@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
@pytest.mark.parametrize("name", shown())
def test_a_shown_test_states_what_the_model_predicts(name: str, arch: str) -> None:
    guest = Predicted(arch)
    shown()[name](guest)
    assert guest.stated
