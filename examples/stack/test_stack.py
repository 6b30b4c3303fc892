# SPDX-License-Identifier: MIT
"""The ways that lead to the function are the keys of a map."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import LaneGuest, prctl

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]


@pytest.mark.kernel_from("4.6")
@pytest.mark.filterwarnings("ignore::harness.testing.Unjudged")
def test_the_way_to_the_function_is_kept(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "stack.o")
    *_, first = probe.check(prctl(times=3), probe.map("ways").next_key(0xFFFFFFFF))
    assert isinstance(first.data, bytes)
