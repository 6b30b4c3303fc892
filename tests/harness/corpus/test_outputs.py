# SPDX-License-Identifier: MIT
"""What real kernels say of programs that hand data out."""

from __future__ import annotations

import pytest

from harness.fuzz.campaign.work import TOGETHER
from harness.model.eras import ERAS
from harness.model.executor import ModelExecutor
from harness.pytest_plugin.guest import LaneGuest
from harness.script.outcome import Unpredicted
from tests.harness.corpus.outputs import corpus
from tests.harness.guests import tell
from tests.harness.model.running import environment


@pytest.mark.guest
def test_kernels_agree_with_the_model(guest: LaneGuest) -> None:
    disagreed = tell(guest.judge(corpus(), together=TOGETHER))
    assert not disagreed, "\n".join(disagreed)


@pytest.mark.parametrize("name", ERAS)
def test_nearly_all_is_predicted(name: str) -> None:
    model = ModelExecutor(environment(name))
    open = [script.name for script in corpus() if isinstance(model.run(script)[-1], Unpredicted)]
    assert len(open) * 5 < len(corpus()), open
