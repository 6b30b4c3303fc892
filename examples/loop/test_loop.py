# SPDX-License-Identifier: MIT
"""Refused by 4.1, accepted since 5.3."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import Expectation, LaneGuest, expect, prctl, u64

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


def test_verifiers_follow_loops_since_5_3(guest: LaneGuest, objects: Path) -> None:
    probe = guest.load(objects / "loop.o")
    guest.check(*probe.expect_load("EINVAL", {"5.3": Expectation()}))


@pytest.mark.kernel_from("5.3")
def test_the_loop_counts_bits(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "loop.o")
    probe.check(prctl(0xF0F0), expect(probe.map("bits").lookup(), u64(8)))
