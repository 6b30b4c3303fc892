# SPDX-License-Identifier: MIT
"""What is measured in lockstep runs as it is meant to."""

from __future__ import annotations

from harness.benchmarks.lockstep import RECORDED, RUNS
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.script.outcome import Outcome


def test_the_recorded_program_is_loaded_and_run() -> None:
    """A program that is too long for a socket's memory is refused when it is attached."""
    predicted = ModelExecutor(Environment(era="6.1", arch="x86_64", version_code=0x060100)).run(RECORDED)
    assert len(predicted) == 1 + RUNS
    assert all(isinstance(one, Outcome) and one.errno is None for one in predicted)
