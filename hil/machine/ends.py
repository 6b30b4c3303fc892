# SPDX-License-Identifier: MIT
"""Notices how a guest or its QEMU ends, keeps what is left of it, and records why."""

from __future__ import annotations

from collections.abc import Callable

from hil import signals
from hil.machine import speed
from hil.machine.console import Console
from hil.machine.liveness import GuestPanicked, GuestStopped, Liveness, Loss, QemuExited
from hil.machine.monitor import Monitor, MonitorFailed
from hil.machine.postmortem import Death
from hil.machine.remains import Remains
from hil.machine.waits import QUIT

STOPPED = "the QEMU process is stopped, as by SIGSTOP"
_HELD = "shutdown"
"""QMP's RunState of a guest that ended itself, by a panic for one, which QEMU holds (-no-shutdown)."""
_PANICKED = frozenset({"guest-reset", "guest-panic", None})
"""QMP's ShutdownCause after a panic: by panic=-1 the kernel resets the machine; None when QEMU did not send it."""
_FAILED = frozenset({"internal-error", "io-error", "guest-panicked", "watchdog"})
"""QMP's RunStates from which a guest does not continue by itself."""
_READ = 1.0
"""Seconds for what the kernel printed before a reset to be read: all of it was written before."""


class Ends:
    """The callbacks of one machine; `messages` returns what QEMU wrote to standard error. The console and the monitor
    are there once QEMU is."""

    console: Console
    monitor: Monitor | None = None

    def __init__(self, liveness: Liveness, remains: Remains, messages: Callable[[], str]) -> None:
        self._liveness = liveness
        self._remains = remains
        self._messages = messages

    def changed_state(self, state: str) -> None:
        """The guest's RunState has changed; called in a thread of its own."""
        if state == _HELD and self.monitor is not None:
            self._held(self.monitor)
        if state in _FAILED:
            self._remains.examine(Death.CRASH, self.console)
            message = next(iter(self._messages().splitlines()), "")
            shown = f" ({message})" if message else ""
            self._liveness.lose(Loss(f"QEMU stopped the guest for good: {state}{shown}", GuestStopped))

    def exited(self, returncode: int) -> None:
        """QEMU has ended; called in the thread that watches it."""
        # The console is read first: a panic is a better reason than the exit that follows it.
        self.console.drain(2)
        if self._alive:
            self._remains.complete(self.console.panic, self.console)
        if returncode < 0:
            how = f"QEMU was killed by {signals.name(-returncode)}"
            self._lack(Death.GONE, how, "the guest's memory ended with it")
            self._liveness.lose(Loss(how, QemuExited))
            return
        cause = self.monitor.shutdown_reason() if self.monitor and self._alive else None
        if returncode == 0:
            self._lose_panicked(cause)
        how = f"ended with status {returncode}" + (f" ({cause})" if cause else "")
        if returncode:
            self._lack(Death.GONE, f"QEMU {how}", "the guest's memory ended with it")
        if trouble := self.console.first_trouble:
            how += f"; the first trouble on the console: {trouble}"
        self._liveness.lose(Loss(f"QEMU {how}", QemuExited))

    def silent(self, *, stopped: bool) -> None:
        """The guest lives, as far as is known, and does not answer; `stopped` where the process of QEMU is. Returns
        when it was looked what it does, or when another thread's look at one that died is over."""
        if not self._alive:
            return
        if stopped:
            self._lack(Death.HANG, "QEMU does not run", STOPPED)
        else:
            self._remains.examine(Death.HANG, self.console)

    @property
    def _alive(self) -> bool:
        return self._liveness.loss is None

    def _lack(self, death: Death, sentence: str, why: str) -> None:
        if self._alive:
            self._remains.lack(death, sentence, why, self.console)

    def _lose_panicked(self, cause: str | None) -> None:
        if cause in _PANICKED and (message := self.console.panic):
            self._liveness.lose(Loss(f"the guest's kernel panicked: {message}", GuestPanicked))

    def _held(self, monitor: Monitor) -> None:
        """Read what is left of a guest that ended itself, unless it did so in order, and end QEMU."""
        cause = monitor.shutdown_reason()
        if cause in _PANICKED:
            self._liveness.wait(lambda: self.console.panic is not None or self.console.restarts, _READ)
            if self._alive and not self.console.restarts:
                self._remains.examine(Death.CRASH, self.console)
        try:
            monitor.quit(QUIT.seconds * speed.scale())
        except MonitorFailed as error:
            # The machine was stopped meanwhile, or QEMU ended before it answered, which is told soon. If it did not
            # end, nothing else tells the loss.
            self._liveness.wait(lambda: False, QUIT.seconds * speed.scale())
            if self._alive:
                self._remains.complete(self.console.panic, self.console)
                self._lose_panicked(cause)
                how = "the guest ended" + (f" ({cause})" if cause else "")
                self._liveness.lose(Loss(f"{how}, and QEMU does not end: {error}", GuestStopped))
