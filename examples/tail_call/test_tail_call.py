# SPDX-License-Identifier: MIT
"""The first argument selects the program that goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.testing import LaneGuest, expect, prctl, u64

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes"), pytest.mark.kernel_from("4.2")]


def test_an_argument_selects_the_program(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "tail_call.o", "kprobe/cap_task_prctl")
    counts = probe.map("counts")
    calls = (prctl(0, times=2), prctl(1, times=3), prctl(2), prctl(99))
    probe.check(*calls, *(expect(counts.lookup(key), u64(hits)) for key, hits in enumerate((2, 3, 2))))


def test_without_its_program_in_the_array_the_first_one_goes_on(guest: LaneGuest, objects: Path) -> None:
    probe = guest.attach(objects / "tail_call.o", "kprobe/cap_task_prctl")
    kinds, counts = probe.map("kinds"), probe.map("counts")
    assert (kinds.shape.type_name, kinds.shape.slots) == ("prog_array", ((0, "zero"), (1, "one")))
    calls = (prctl(1), kinds.delete(1), prctl(1, times=4), kinds.update(1, probe.program("zero")), prctl(1, times=2))
    probe.check(*calls, *(expect(counts.lookup(key), u64(hits)) for key, hits in enumerate((2, 1, 4))))
