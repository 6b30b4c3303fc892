# SPDX-License-Identifier: MIT
"""The registers of the architecture hold the arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import LaneGuest, expect, op, u64

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


def test_offset_and_whence_are_those_of_the_call(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "arguments.o")
    last = probe.map("last")
    probe.check(
        op.Trigger("null_lseek", (0x123456789A, 1)),
        expect(last.lookup(0), u64(0x123456789A)),
        expect(last.lookup(1), u64(1)),
    )
