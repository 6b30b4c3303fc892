# SPDX-License-Identifier: MIT
"""Each CPU counts for itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import LaneGuest, PerCpu, expect, op, prctl, u64

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


@pytest.mark.kernel_from("4.6")
@pytest.mark.needs("two-cpus")
def test_each_cpu_counts_its_own_calls(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "percpu.o")
    probe.check(prctl(times=2), op.Pin(1), prctl(times=5), expect(probe.map("hits").lookup(), PerCpu(u64(2), u64(5))))
