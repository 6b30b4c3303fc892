"""Generated programs on real kernels."""

from __future__ import annotations

import pytest

from harness.fuzz import KNOWN
from harness.fuzz.commands import TOGETHER
from harness.fuzz.generate import cases
from harness.pytest_plugin.guest import LaneGuest
from harness.run.known import read
from harness.run.needs import unmet
from tests.harness.guests import tell

SEED, COUNT = 20150621, 300


@pytest.mark.guest
def test_kernels_agree_with_the_model(guest: LaneGuest) -> None:
    print(f"seed {SEED}")
    lane = guest.model.environment
    made = cases(SEED, COUNT, lane.rules)
    scripts = [script for script in made if not unmet(script.needs, lane)]
    assert len(scripts) > COUNT / 2
    disagreed = tell(guest.judge(scripts, read(KNOWN), TOGETHER))
    assert not disagreed, "\n".join(disagreed)
