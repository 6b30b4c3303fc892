# SPDX-License-Identifier: MIT
"""A record of one's own, in the ring buffer of the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import LaneGuest, op, prctl, u64

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


@pytest.mark.kernel_from("4.5")
def test_each_call_sends_its_arguments(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "output.o")
    rings = probe.map("rings")
    *_, read = probe.check(
        op.OpenOutputEvent("output", cpu=0),
        op.MapRing("ring", op.Ref("output")),
        rings.update(0, op.Ref("output")),
        prctl(0x1234, 0x5678),
        op.ReadRing(op.Ref("ring")),
    )
    (record,) = read.records
    assert u64(0x1234) + u64(0x5678) in record.raw
