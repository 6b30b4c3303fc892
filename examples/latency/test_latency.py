# SPDX-License-Identifier: MIT
"""The histogram has every call once; no model knows in which slot."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import Expectation, LaneGuest, op

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


@pytest.mark.kernel_from("4.2")
@pytest.mark.filterwarnings("ignore::harness.testing.Unjudged")
def test_every_call_is_in_a_slot(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "latency.o", "kprobe/write_null", "kretprobe/write_null")
    slots = probe.map("slots")
    outcomes = probe.check(op.Trigger("write_null", (0, 8), times=10), *(slots.lookup(slot) for slot in range(32)))
    assert sum(int.from_bytes(one.data, "little") for one in outcomes[1:] if isinstance(one.data, bytes)) == 10


def test_4_1_knows_no_threads(guest: LaneGuest, objects: Path) -> None:
    """bpf_get_current_pid_tgid() came with 4.2."""
    probe = guest.load(objects / "latency.o", "kprobe/write_null")
    guest.check(*probe.expect_load("EINVAL", {"4.2": Expectation()}))
