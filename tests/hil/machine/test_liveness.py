# SPDX-License-Identifier: MIT
from __future__ import annotations

import threading
import time

from hil.machine.liveness import GuestPanicked, Liveness, Loss, QemuExited


def test_first_reason_stays() -> None:
    liveness = Liveness()
    liveness.lose(Loss("panic", GuestPanicked))
    liveness.lose(Loss("exit", QemuExited))
    assert liveness.loss == Loss("panic", GuestPanicked)


def test_wait_ends_at_a_loss_long_before_its_deadline() -> None:
    liveness = Liveness()
    threading.Timer(0.05, lambda: liveness.lose(Loss("exit"))).start()
    started = time.monotonic()
    assert not liveness.wait(lambda: False, 600)
    assert time.monotonic() - started < 60


def test_wait_ends_when_it_happens() -> None:
    liveness = Liveness()
    happened = threading.Event()
    threading.Timer(0.05, lambda: (happened.set(), liveness.wake())).start()
    assert liveness.wait(happened.is_set, 600)


def test_wait_ends_at_its_deadline() -> None:
    started = time.monotonic()
    assert not Liveness().wait(lambda: False, 0.05)
    assert time.monotonic() - started >= 0.05


def test_what_happened_before_the_loss_counts() -> None:
    liveness = Liveness()
    liveness.lose(Loss("exit"))
    assert liveness.wait(lambda: True, 0)


def test_callbacks_run_once_and_also_when_late() -> None:
    liveness = Liveness()
    calls: list[str] = []
    liveness.on_loss(lambda: calls.append("early"))
    liveness.lose(Loss("exit"))
    liveness.lose(Loss("again"))
    liveness.on_loss(lambda: calls.append("late"))
    assert calls == ["early", "late"]
