# SPDX-License-Identifier: MIT
"""A watchdog: calls a function when nothing has happened for too long."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable


class Watchdog:
    """While armed, calls `alarm` (once, in a thread of its own) when `limit` seconds pass without a `touch`."""

    def __init__(self, alarm: Callable[[], None]) -> None:
        self._alarm = alarm
        self._changed = threading.Condition()
        self._limit: float | None = None
        self._due = 0.0
        self._stopped = False
        self._thread = threading.Thread(target=self._watch, name="hil-agent-watchdog", daemon=True)
        self.expired = False

    def arm(self, limit: float) -> None:
        """Start watching; an infinite limit never passes."""
        with self._changed:
            self._limit = None if math.isinf(limit) else limit
            self._due = time.monotonic() + limit
            self._changed.notify()

    def touch(self) -> None:
        """Restart the time limit, because something happened."""
        with self._changed:
            if self._limit is not None:
                self._due = time.monotonic() + self._limit

    def disarm(self) -> None:
        with self._changed:
            self._limit = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop for good: no alarm follows. Harmless when repeated."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _watch(self) -> None:
        with self._changed:
            while not self._stopped:
                left = None if self._limit is None else self._due - time.monotonic()
                if left is None or left > 0:
                    self._changed.wait(left)
                else:
                    self.expired = True
                    break
        if self.expired:
            self._alarm()
