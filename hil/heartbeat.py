# SPDX-License-Identifier: MIT
"""A sign of life: whoever waits is told every few seconds what for, and since when."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

PERIOD = 5.0
"""The most seconds of silence."""

Say = Callable[[str, float], str]
"""Makes a line of the last one and the seconds since then; an empty line is not told."""


def still(line: str, seconds: float) -> str:
    """The last line, with the seconds since then."""
    return f"{line}: {seconds:.0f} s"


class Heartbeat:
    """Passes lines on to `tell`, and while none comes tells what `say` makes of the last one. It is a context manager;
    `tell` is called from its thread, too, never from two at once."""

    def __init__(self, tell: Callable[[str], None], say: Say = still, *, period: float = PERIOD) -> None:
        self._tell, self._say, self._period = tell, say, period
        self._line, self._began, self._told = "", time.monotonic(), time.monotonic()
        self._lock, self._over = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __call__(self, line: str) -> None:
        """Tells a line, which is what is being done from now on."""
        with self._lock:
            self._line, self._began = line, time.monotonic()
            self._now(line)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(max(0.0, self._told + self._period - time.monotonic())):
            with self._lock:
                if time.monotonic() >= self._told + self._period:
                    self._now(self._say(self._line, time.monotonic() - self._began))

    def _now(self, line: str) -> None:
        self._told = time.monotonic()
        if line:
            self._tell(line)
