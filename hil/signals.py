# SPDX-License-Identifier: MIT
"""The signals that ask the bench to end: Ctrl-C, a CI system's SIGTERM, a terminal that is closed, Ctrl-backslash.

The first one raises an exception in the main thread, so that machines and builds are ended and results are written. The
second one is ignored, because that is under way. The third one ends the process at once.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import signal
import sys
from types import FrameType

ASKING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_PATIENCE = 2
"""The number of signals that allow an orderly end."""
_MOMENT = 0.01
"""Seconds that a destructor is given to end."""
_places = itertools.count(1)
"""The number of each signal. A signal may arrive while another one is handled, so counting must be a single step."""


class Ended(SystemExit):
    """A signal asked the bench to end; the exit status is the one that a shell reports for that signal."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(128 + number)
        self.number = number


_first: signal.Signals | None = None
_deferred = False


def name(number: int) -> str:
    """The name of a signal, "SIGTERM", or "signal 35" for one that has none, as most real-time signals."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def install() -> None:
    """Install the handlers; signals that were ignored when the bench started (nohup, a shell's `&`) stay ignored."""
    for number in ASKING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)
    # Registered first and so called last: a signal during the interpreter's shutdown must not change the exit status.
    atexit.register(_ignore)
    signal.signal(signal.SIGALRM, _raise_again)
    sys.unraisablehook = _unraisable


def defer() -> None:
    """Defer the first signal until `deliver`, for work that must not be interrupted half-way."""
    global _deferred
    _deferred = True


def deliver() -> None:
    """End `defer`; raises Ended for a signal that came meanwhile."""
    global _deferred
    _deferred = False
    if _first is not None:
        raise Ended(_first)


def _handle(number: int, _: FrameType | None) -> None:
    global _first
    place = next(_places)
    if place > _PATIENCE:
        os._exit(128 + (_first or number))
    if place == 1:
        _first = signal.Signals(number)
        # Not through Python's streams: the main thread may be in the middle of writing to one.
        with contextlib.suppress(OSError):
            os.write(2, f"hil: ended by {_first.name}\n".encode())
        if not _deferred:
            raise Ended(_first)


def _unraisable(details: sys.UnraisableHookArgs) -> None:
    """Raise Ended again, a moment later, when it was raised in a destructor or a callback, where nothing can catch
    it."""
    if isinstance(details.exc_value, Ended):
        signal.setitimer(signal.ITIMER_REAL, _MOMENT)
    else:
        sys.__unraisablehook__(details)


def _raise_again(*_: object) -> None:
    if _first is not None:
        raise Ended(_first)


def _ignore() -> None:
    for number in (*ASKING, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    sys.unraisablehook = sys.__unraisablehook__  # ours uses names that the shutdown deletes
