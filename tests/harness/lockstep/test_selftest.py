# SPDX-License-Identifier: MIT
"""When a lane in lockstep is believed; no guest takes part."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.lane import Engine, Lane
from harness.lockstep import selftest
from harness.lockstep.findings import Examined
from hil.errors import BenchError

RIGHT = Examined(runs=1, steps=49, values=280)
LESS = Examined(runs=1, steps=25, values=205)


def believed(monkeypatch: pytest.MonkeyPatch, *attempts: Examined) -> tuple[Examined, int]:
    """What the lane is believed by, and how many attempts are left."""
    left = [SimpleNamespace(examined=one, lines=lambda: ["its steps"]) for one in attempts]
    monkeypatch.setattr(selftest, "check", lambda *_: left.pop(0))
    lane: Any = SimpleNamespace(lane=Lane("linux-4.1", "arm64", Engine.JIT))
    return selftest.self_test(lane).examined, len(left)


def test_a_lane_is_believed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert believed(monkeypatch, RIGHT, LESS) == (RIGHT, 1)


@pytest.mark.parametrize("spoilt", [LESS, Examined(note="it was lost"), Examined(runs=2, values=300)])
def test_what_an_interrupt_spoilt_is_tried_again(monkeypatch: pytest.MonkeyPatch, spoilt: Examined) -> None:
    assert believed(monkeypatch, spoilt, spoilt, RIGHT) == (RIGHT, 0)


def test_a_lane_that_is_wrong_every_time_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    difference: Any = object()
    wrong = Examined(runs=1, steps=49, values=280, difference=difference)
    with pytest.raises(BenchError, match=r"cannot be believed on linux-4\.1/arm64/jit: .*different") as caught:
        believed(monkeypatch, wrong, wrong, wrong, RIGHT)
    assert caught.value.details == "its steps"
