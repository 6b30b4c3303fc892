"""Generated programs on real kernels."""

from __future__ import annotations

import pytest

from harness.fuzz import KNOWN
from harness.fuzz.generate import cases
from harness.lane import Engine
from harness.model.eras import era
from harness.run.known import read
from tests.harness.guests import SharedGuest, tell

SEED, COUNT = 20150621, 300


@pytest.mark.guest
@pytest.mark.parametrize("engine", Engine)
def test_kernels_agree_with_the_model(shared_guest: SharedGuest, engine: Engine) -> None:
    print(f"seed {SEED}")
    kernel = shared_guest.kernel
    scripts = tuple(cases(SEED, COUNT, era(kernel.era), kernel.arch.name))
    disagreed = tell(shared_guest.judge(engine, scripts, read(KNOWN)))
    assert not disagreed, "\n".join(disagreed)
