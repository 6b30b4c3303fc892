from __future__ import annotations

import threading
import time

from hil.machine.lifeline import GuestPanicked, Lifeline, Loss, QemuExited


def test_first_reason_stays() -> None:
    lifeline = Lifeline()
    lifeline.lose(Loss("panic", GuestPanicked))
    lifeline.lose(Loss("exit", QemuExited))
    assert lifeline.loss == Loss("panic", GuestPanicked)


def test_wait_ends_at_a_loss_long_before_its_deadline() -> None:
    lifeline = Lifeline()
    threading.Timer(0.05, lambda: lifeline.lose(Loss("exit"))).start()
    started = time.monotonic()
    assert not lifeline.wait(lambda: False, 600)
    assert time.monotonic() - started < 60


def test_wait_ends_when_it_happens() -> None:
    lifeline = Lifeline()
    happened = threading.Event()
    threading.Timer(0.05, lambda: (happened.set(), lifeline.wake())).start()
    assert lifeline.wait(happened.is_set, 600)


def test_wait_ends_at_its_deadline() -> None:
    started = time.monotonic()
    assert not Lifeline().wait(lambda: False, 0.05)
    assert time.monotonic() - started >= 0.05


def test_what_happened_before_the_loss_counts() -> None:
    lifeline = Lifeline()
    lifeline.lose(Loss("exit"))
    assert lifeline.wait(lambda: True, 0)


def test_callbacks_run_once_and_also_when_late() -> None:
    lifeline = Lifeline()
    calls: list[str] = []
    lifeline.on_loss(lambda: calls.append("early"))
    lifeline.lose(Loss("exit"))
    lifeline.lose(Loss("again"))
    lifeline.on_loss(lambda: calls.append("late"))
    assert calls == ["early", "late"]
