# SPDX-License-Identifier: MIT
"""When a lane in lockstep is believed; no guest takes part."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.lane import Engine, Lane
from harness.lockstep import selftest
from harness.lockstep.findings import Difference, Examined
from harness.model.rules import JitFault
from hil.errors import BenchError

RIGHT = Examined(runs=1, steps=49, values=280)
STACK = Difference("known", 1, 25, 20, "(7b) *(u64 *)(r10 -8) = r1", "the stack at r10-8", "1", "2")
DIFFERS = Examined(runs=1, steps=25, values=205, difference=STACK)
SPOILT = Lane("linux-4.1", "arm64", Engine.JIT)


class Attempts:
    """A lane, and what each attempt on it gives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lane: Lane, *attempts: Examined) -> None:
        self.left = list(attempts)
        faults = {JitFault.STACK} if lane == SPOILT else set()
        self.lane: Any = SimpleNamespace(lane=lane, environment=SimpleNamespace(faults=faults))
        monkeypatch.setattr(selftest, "check", self._check)

    def _check(self, *_: object) -> Any:
        return SimpleNamespace(examined=self.left.pop(0), lines=lambda: ["its steps"])


def test_a_lane_is_believed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = Attempts(monkeypatch, SPOILT, RIGHT, DIFFERS)
    assert selftest.self_test(attempts.lane).examined == RIGHT and attempts.left == [DIFFERS]


def test_what_an_interrupt_spoilt_is_tried_again_and_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    attempts = Attempts(monkeypatch, SPOILT, DIFFERS, DIFFERS, RIGHT)
    assert selftest.self_test(attempts.lane).examined == RIGHT and not attempts.left
    told = [one.message for one in caplog.records]
    assert len(told) == 2 and all("interrupt" in one and "its steps" in one for one in told)


@pytest.mark.parametrize(
    ("lane", "attempt", "times"),
    [
        (SPOILT, DIFFERS, 3),
        (SPOILT, Examined(note="it was lost"), 1),  # no stack is written by an interrupt
        (SPOILT, Examined(runs=1, values=20), 1),
        (Lane("debian-12", "arm64", Engine.JIT), DIFFERS, 1),
    ],
)
def test_a_lane_that_is_wrong_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, lane: Lane, attempt: Examined, times: int
) -> None:
    attempts = Attempts(monkeypatch, lane, *[attempt] * times, RIGHT)
    with pytest.raises(BenchError, match=f"lockstep cannot be believed on {lane}") as caught:
        selftest.self_test(attempts.lane)
    assert caught.value.details == "its steps" and attempts.left == [RIGHT]
