# SPDX-License-Identifier: MIT
"""The loader finds the field in the kernel's types."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import LaneGuest, prctl, u64

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


@pytest.mark.kernel_from("5.5")
@pytest.mark.filterwarnings("ignore::harness.testing.Unjudged")
def test_the_field_is_the_one_that_the_helper_reads(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "core.o")
    same = probe.map("same")
    _, no, yes = probe.check(prctl(times=3), same.lookup(0), same.lookup(1))
    assert (no.data, yes.data) == (u64(0), u64(3))
