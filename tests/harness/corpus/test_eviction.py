# SPDX-License-Identifier: MIT
"""Real kernels evict what the model says they do, and nothing about it is left open."""

from __future__ import annotations

import pytest

from harness.model.eras import ERAS
from harness.model.executor import ModelExecutor
from harness.pytest_plugin.guest import LaneGuest
from harness.script.outcome import Unpredicted
from tests.harness.corpus.eviction import corpus
from tests.harness.guests import tell
from tests.harness.model.running import environment


@pytest.mark.guest
def test_kernels_evict_what_the_model_says(guest: LaneGuest) -> None:
    disagreed = tell(guest.judge(corpus()))
    assert not disagreed, "\n".join(disagreed)


@pytest.mark.parametrize("name", ERAS)
def test_everything_is_predicted(name: str) -> None:
    model = ModelExecutor(environment(name, cpus=2))
    open = [script.name for script in corpus() if any(isinstance(said, Unpredicted) for said in model.run(script))]
    assert not open
