# SPDX-License-Identifier: MIT
"""The ways that lead to the function are the keys of a map."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from harness.testing import LaneGuest, expect, prctl, u64

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]

KERNEL = 1 << 63
"""Where the kernel's addresses begin."""


@pytest.mark.kernel_from("4.6")
@pytest.mark.filterwarnings("ignore::harness.testing.Unjudged")
def test_the_way_to_the_function_is_kept_and_counted(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "stack.o")
    ways, stacks = probe.map("ways"), probe.map("stacks")
    *_, first = probe.check(prctl(), ways.next_key(0xFFFFFFFF))
    way = first.data
    assert isinstance(way, bytes)
    # The number of a stack is made of its addresses, so that the next script finds the same one.
    *_, kept = probe.check(prctl(times=3), expect(ways.lookup(way), u64(3)), stacks.lookup(way))
    assert isinstance(kept.data, bytes)
    addresses = struct.unpack("<127Q", kept.data)
    depth = addresses.index(0)
    assert depth >= 2 and min(addresses[:depth]) >= KERNEL, "the function, and what called it"
    assert not any(addresses[depth:])
