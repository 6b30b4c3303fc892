# SPDX-License-Identifier: MIT
"""One way leads to the function from one system call."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import LaneGuest, prctl

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


@pytest.mark.kernel_from("4.6")
@pytest.mark.filterwarnings("ignore::harness.testing.Unjudged")
def test_one_way_is_seen_three_times(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "stack.o")
    *_, first = probe.check(prctl(times=3), probe.map("ways").next_key(0xFFFFFFFF))
    assert isinstance(first.data, bytes)
