# SPDX-License-Identifier: MIT
"""Generated programs, and generated scripts, on real kernels."""

from __future__ import annotations

import pytest

from harness.fuzz.campaign.work import TOGETHER
from harness.fuzz.generate import cases
from harness.fuzz.known import known
from harness.fuzz.scripts import scripts
from harness.pytest_plugin.guest import LaneGuest
from harness.run.needs import unmet
from tests.harness.guests import tell

SEED, COUNT = 20150621, 300
SCRIPTS = 200


@pytest.mark.guest
def test_kernels_agree_with_the_model(guest: LaneGuest) -> None:
    print(f"seed {SEED}")
    lane = guest.model.environment
    made = cases(SEED, COUNT, lane.rules)
    scripts = [script for script in made if not unmet(script.needs, lane)]
    assert len(scripts) > COUNT / 2
    disagreed = tell(guest.judge(scripts, tuple(known([guest.lane], scripts)), TOGETHER))
    assert not disagreed, "\n".join(disagreed)


@pytest.mark.guest
def test_what_the_model_is_certain_of_holds_behind_what_it_is_not(guest: LaneGuest) -> None:
    """Scripts of operations of every type; `hil fuzz --of scripts` goes on where these end."""
    print(f"seed {SEED}")
    lane = guest.model.environment
    drawn = list(scripts(SEED, SCRIPTS, lane.rules))
    made = [script for script in drawn if not unmet(script.needs, lane)]
    if not made:
        pytest.skip(f"{guest.lane}: {unmet(drawn[0].needs, lane)}")
    disagreed = tell(guest.judge(made, tuple(known([guest.lane], made)), TOGETHER))
    assert not disagreed, "\n".join(disagreed)
