"""Generated programs on real kernels."""

from __future__ import annotations

import pytest

from harness.fuzz import KNOWN
from harness.fuzz.commands import TOGETHER
from harness.fuzz.generate import cases
from harness.lane import Engine
from harness.model.eras import era
from harness.run.known import read
from harness.run.needs import unmet
from tests.harness.guests import SharedGuest, tell

SEED, COUNT = 20150621, 300


@pytest.mark.guest
@pytest.mark.parametrize("engine", Engine)
def test_kernels_agree_with_the_model(shared_guest: SharedGuest, engine: Engine) -> None:
    print(f"seed {SEED}")
    kernel = shared_guest.kernel
    lane = shared_guest.environment(engine)
    made = cases(SEED, COUNT, era(kernel.era), kernel.arch.name)
    scripts = [script for script in made if not unmet(script.needs, lane)]
    assert len(scripts) > COUNT / 2
    disagreed = tell(shared_guest.judge(engine, scripts, read(KNOWN), TOGETHER))
    assert not disagreed, "\n".join(disagreed)
