# SPDX-License-Identifier: MIT
"""Every call is counted, on every kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import LaneGuest, expect, prctl, u64

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


def test_every_call_of_ours_is_counted(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "counting.o", "kprobe/cap_task_prctl")
    hits = probe.map("hits")
    probe.check(prctl(times=3), expect(hits.lookup(), u64(3)))
