# SPDX-License-Identifier: MIT
"""The signals that ask the bench to end: Ctrl-C, a CI system's SIGTERM, a terminal that is closed, Ctrl-backslash.

The first one is an exception in the main thread, so that machines and builds end and results are written on the way
out. The second one is let pass: the way out is being taken. The third one ends the process at once.
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
"""Signals that wait for an orderly end."""
_MOMENT = 0.01
"""Seconds, for a destructor to be done."""
_places = itertools.count(1)
"""Of each signal that comes. The next one may come while this one is being handled, so nothing else can count them."""


class Ended(SystemExit):
    """A signal asked for the end; the exit status is what a shell reports of a program that it ended."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(128 + number)
        self.number = number


_first: signal.Signals | None = None
_held = False


def install() -> None:
    """Heed the signals from now on; those that whoever started us has us ignore (nohup, a shell's `&`) stay ignored."""
    for number in ASKING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _asked)
    # Registered first and so called last: what comes while the interpreter is taken apart must not change the status.
    atexit.register(_ignore)
    signal.signal(signal.SIGALRM, _again)
    sys.unraisablehook = _swallowed


def hold() -> None:
    """From now on only note the first signal. For work that is worth nothing when half of it is done."""
    global _held
    _held = True


def heed() -> None:
    """End `hold`; Ended for a signal that came meanwhile."""
    global _held
    _held = False
    if _first is not None:
        raise Ended(_first)


def _asked(number: int, _: FrameType | None) -> None:
    global _first
    place = next(_places)
    if place > _PATIENCE:
        os._exit(128 + (_first or number))
    if place == 1:
        _first = signal.Signals(number)
        # Not through Python's streams: the main thread may be in the middle of writing to one.
        with contextlib.suppress(OSError):
            os.write(2, f"hil: ended by {_first.name}\n".encode())
        if not _held:
            raise Ended(_first)


def _swallowed(trouble: sys.UnraisableHookArgs) -> None:
    """Told of an exception that nobody can catch, since Python was in a destructor or a callback when it was raised: an
    end that was asked for there is asked for again, a moment later."""
    if isinstance(trouble.exc_value, Ended):
        signal.setitimer(signal.ITIMER_REAL, _MOMENT)
    else:
        sys.__unraisablehook__(trouble)


def _again(*_: object) -> None:
    if _first is not None:
        raise Ended(_first)


def _ignore() -> None:
    for number in (*ASKING, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)
    sys.unraisablehook = sys.__unraisablehook__  # ours leans on names that go now
