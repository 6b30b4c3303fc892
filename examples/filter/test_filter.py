# SPDX-License-Identifier: MIT
"""What a program drops never reaches the ring buffer."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import LaneGuest, op, prctl

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


def test_only_odd_calls_leave_a_sample(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "filter.o")
    ring = op.MapRing("ring", probe.event())
    *_, read = probe.check(ring, *(prctl(first) for first in range(5)), op.ReadRing(op.Ref("ring")))
    assert len(read.records) == 2  # 1 and 3
