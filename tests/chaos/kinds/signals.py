# SPDX-License-Identifier: MIT
"""Signals to the bench itself."""

from __future__ import annotations

import os
import pty
import signal
import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

from tests.chaos.kind import LEAVING, Kind, kept
from tests.chaos.kinds.machines import short
from tests.chaos.trial import Trial

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_TOGETHER = 0.1
"""Seconds; what comes closer together has no order, since a process is told of pending signals by their numbers."""
_ENDLESS = ("--scripts", "a*", "--repeat", "1000")
_PHASES = ("kernel", "guest root", "booting", "booted", "round 1 of", "round 2 of")


def endless(trial: Trial) -> list[str]:
    """The arguments of a run that ends when it is ended."""
    return ["run", "--lanes", trial.lane(), *_ENDLESS]


class EndedOnce(Kind):
    """A signal that asks for the end, at any moment of a run."""

    name = "ended-once"
    weight = 4

    def inject(self, trial: Trial) -> None:
        trial.facts["signal"] = trial.random.choice(ENDING)
        trial.start(endless(trial))
        trial.moment(*_PHASES, span=3.0)
        trial.strike()
        trial.child.send(trial.facts["signal"])

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        return ended_by(trial, codes[0])


class EndedTwice(EndedOnce):
    """A second such signal while the first one's leaving is under way."""

    name = "ended-twice"
    weight = 6

    def inject(self, trial: Trial) -> None:
        super().inject(trial)
        trial.facts["second"] = trial.random.choice(ENDING)
        trial.facts["gap"] = 10 ** trial.random.uniform(-4, 0.5)
        time.sleep(trial.facts["gap"])
        trial.child.send(trial.facts["second"])

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if trial.facts["gap"] < _TOGETHER and codes[0] == 128 + trial.facts["second"]:
            trial.facts["signal"] = trial.facts["second"]
        return super().right(trial, codes)


class EndedThrice(EndedOnce):
    """A third one ends the bench at once, and nothing runs on."""

    name = "ended-thrice"
    bound = 5.0
    quiet = False  # there was no time to tidy up

    def inject(self, trial: Trial) -> None:
        super().inject(trial)
        for _ in range(2):
            time.sleep(0.02)
            trial.child.send(trial.random.choice(ENDING))

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] not in {128 + number for number in ENDING}:  # which came first is not known
            yield f"exit status {codes[0]}"
        yield from next_run_works(trial)


class EndedEarly(EndedOnce):
    """The same while Python is still starting, or the command has not begun."""

    name = "ended-early"

    def inject(self, trial: Trial) -> None:
        # Not SIGINT: until we are asked, Python answers that one itself, with a trace.
        trial.facts["signal"] = trial.random.choice([number for number in ENDING if number != signal.SIGINT])
        trial.start(endless(trial))
        trial.moment("", span=1.5)
        trial.strike()
        trial.child.send(trial.facts["signal"])

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if trial.folders():
            yield from ended_by(trial, codes[0])
        elif codes[0] not in (128 + trial.facts["signal"], -trial.facts["signal"]):
            yield f"exit status {codes[0]}"


class TerminalClosed(Kind):
    """The terminal goes away: SIGHUP, and whatever is printed fails."""

    name = "terminal-closed"
    weight = 2

    def inject(self, trial: Trial) -> None:
        master = on_terminal(trial)
        trial.strike()
        os.close(master)

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        trial.facts["signal"] = signal.SIGHUP
        return ended_by(trial, codes[0])


class TerminalTyped(Kind):
    """Ctrl-C or Ctrl-backslash on a terminal, once or twice: all that runs in its foreground gets the signal."""

    name = "terminal-typed"
    weight = 2
    keys: ClassVar = {b"\x03": signal.SIGINT, b"\x1c": signal.SIGQUIT}

    def inject(self, trial: Trial) -> None:
        key = trial.random.choice([*self.keys])
        trial.facts["signal"] = self.keys[key]
        master = on_terminal(trial)
        trial.facts["terminal"] = terminal = os.fdopen(master, "r+b", buffering=0)
        trial.child.follow(terminal)
        trial.strike()
        terminal.write(key)
        if trial.random.random() < 0.5:
            time.sleep(10 ** trial.random.uniform(-2, 0))
            terminal.write(key)

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        return ended_by(trial, codes[0])


class BenchKilled(Kind):
    """SIGKILL: nothing runs on, and what lies about is swept by the next run."""

    name = "bench-killed"
    quiet = False
    bound = LEAVING

    def inject(self, trial: Trial) -> None:
        trial.start(endless(trial))
        trial.moment(*_PHASES, span=3.0)
        trial.strike()
        trial.child.send(signal.SIGKILL)

    def right(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] != -signal.SIGKILL:
            yield f"return code {codes[0]}"
        yield from next_run_works(trial)


def on_terminal(trial: Trial) -> int:
    """Start an endless run on a terminal of its own; the terminal's other side, once a machine is there."""
    master, slave = pty.openpty()
    # setsid(1) makes its standard input the controlling terminal.
    trial.start(endless(trial), wrapper=("setsid", "--ctty", "--wait"), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    trial.machines()
    time.sleep(trial.random.uniform(0, 8))
    return master


def ended_by(trial: Trial, code: int) -> Iterator[str]:
    """What is wrong with a run that the trial's first signal ended."""
    if code != 128 + trial.facts["signal"]:
        yield f"exit status {code} after {trial.facts['signal'].name}"
    yield from kept(trial, code, interrupted=True)


def next_run_works(trial: Trial) -> Iterator[str]:
    """What is wrong with a run in the home that another one left as it was."""
    done = trial.again(*short(trial))
    if done.returncode:
        yield f"the next run ends with {done.returncode}"
    if lying := trial.left_lying():
        yield f"the next run leaves lying about: {', '.join(lying)}"


KINDS = (EndedOnce, EndedTwice, EndedThrice, EndedEarly, TerminalClosed, TerminalTyped, BenchKilled)
