# SPDX-License-Identifier: MIT
"""The liveness of a machine, shared by the threads that watch it and those that wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from hil.errors import MachineLost


class QemuExited(MachineLost):
    """QEMU ended, by itself, by a signal, or because the guest switched itself off."""


class GuestPanicked(MachineLost):
    """The guest's kernel panicked."""


class WaitFailed(MachineLost):
    """The machine is running, but what was waited for did not happen in time."""


class GuestStopped(MachineLost):
    """QEMU is running, but stopped the guest: its accelerator or a device failed."""


class MachineStopped(MachineLost):
    """The bench itself stopped the machine."""


@dataclass(frozen=True)
class Loss:
    """Why a machine is lost, and the class of the error that reports it."""

    reason: str
    error: type[MachineLost] = MachineLost


@dataclass(frozen=True)
class Ending:
    """How a machine ended: the reason, QEMU's return code (negative for a signal), and what ended it ("itself", "quit"
    or a signal)."""

    reason: str
    returncode: int | None
    by: str


class Liveness:
    """The condition variable of a machine: every event wakes the threads that wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._loss: Loss | None = None
        self._on_loss: list[Callable[[], None]] = []

    @property
    def loss(self) -> Loss | None:
        """Why the machine is lost; None while it lives."""
        return self._loss

    def lose(self, loss: Loss) -> None:
        """Record the loss. The first reason stays: later ones (QEMU exits after a panic) are its consequence."""
        with self._changed:
            if self._loss is not None:
                return
            self._loss = loss
            self._changed.notify_all()
            callbacks = list(self._on_loss)
        for callback in callbacks:
            callback()

    def on_loss(self, callback: Callable[[], None]) -> None:
        """Call `callback`, from the thread that notices, when the machine is lost; at once when it already is."""
        with self._changed:
            self._on_loss.append(callback)
            lost = self._loss is not None
        if lost:
            callback()

    def wake(self) -> None:
        """Wake the waiting threads, because something changed."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, happened: Callable[[], bool], seconds: float) -> bool:
        """Wait for `happened()`, the loss of the machine, or `seconds` (real); returns `happened()`."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not happened() and self._loss is None:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    break
                self._changed.wait(remaining)
            return happened()
