# SPDX-License-Identifier: MIT
"""Signals to the bench itself."""

from __future__ import annotations

import os
import pty
import signal
import time
from collections.abc import Iterator, Sequence
from typing import ClassVar

from tests.chaos.kind import LEAVING, Kind, check_record
from tests.chaos.kinds.machines import short
from tests.chaos.trial import Trial

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_TOGETHER = 0.1
"""Seconds; signals that are closer together have no order, since pending signals are delivered by number."""
_ENDLESS = ("--scripts", "a*", "--repeat", "1000")
_PHASES = ("kernel", "guest root", "booting", "booted", "round 1 of", "round 2 of")


def endless(trial: Trial) -> list[str]:
    """The arguments of a run that does not end by itself."""
    return ["run", "--lanes", trial.lane(), *_ENDLESS]


class EndedOnce(Kind):
    """A signal that asks for the end, at any time of a run."""

    name = "ended-once"
    weight = 4

    def inject(self, trial: Trial) -> None:
        trial.facts["signal"] = trial.random.choice(ENDING)
        trial.start(endless(trial))
        trial.moment(*_PHASES, span=3.0)
        trial.strike()
        trial.child.send(trial.facts["signal"])

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        return ended_by(trial, codes[0])


class EndedTwice(EndedOnce):
    """A second such signal while the bench ends because of the first one."""

    name = "ended-twice"
    weight = 6

    def inject(self, trial: Trial) -> None:
        super().inject(trial)
        trial.facts["second"] = trial.random.choice(ENDING)
        trial.facts["gap"] = 10 ** trial.random.uniform(-4, 0.5)
        time.sleep(trial.facts["gap"])
        trial.child.send(trial.facts["second"])

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if trial.facts["gap"] < _TOGETHER and codes[0] == 128 + trial.facts["second"]:
            trial.facts["signal"] = trial.facts["second"]
        return super().judge(trial, codes)


class EndedThrice(EndedOnce):
    """A third such signal ends the bench at once, and no process is left."""

    name = "ended-thrice"
    bound = 5.0
    quiet = False  # it has no time to remove files

    def inject(self, trial: Trial) -> None:
        super().inject(trial)
        for _ in range(2):
            time.sleep(0.02)
            trial.child.send(trial.random.choice(ENDING))

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] not in {128 + number for number in ENDING}:  # which came first is not known
            yield f"exit status {codes[0]}"
        yield from next_run_works(trial)


class EndedEarly(EndedOnce):
    """A signal that asks for the end while Python starts, or before the command begins."""

    name = "ended-early"

    def inject(self, trial: Trial) -> None:
        # Not SIGINT: before our handlers are installed, Python ends with a traceback on that.
        trial.facts["signal"] = trial.random.choice([number for number in ENDING if number != signal.SIGINT])
        trial.start(endless(trial))
        trial.moment("", span=1.5)
        trial.strike()
        trial.child.send(trial.facts["signal"])

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if trial.folders():
            yield from ended_by(trial, codes[0])
        elif codes[0] not in (128 + trial.facts["signal"], -trial.facts["signal"]):
            yield f"exit status {codes[0]}"


class TerminalClosed(Kind):
    """The terminal is closed, which sends SIGHUP, and all printing fails."""

    name = "terminal-closed"
    weight = 2

    def inject(self, trial: Trial) -> None:
        master = on_terminal(trial)
        trial.strike()
        os.close(master)

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        trial.facts["signal"] = signal.SIGHUP
        return ended_by(trial, codes[0])


class TerminalTyped(Kind):
    """Ctrl-C or Ctrl-backslash on a terminal, once or twice: its foreground processes get the signal."""

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

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        return ended_by(trial, codes[0])


class BenchKilled(Kind):
    """SIGKILL: no process is left, and the next run removes left-over files."""

    name = "bench-killed"
    quiet = False
    bound = LEAVING

    def inject(self, trial: Trial) -> None:
        trial.start(endless(trial))
        trial.moment(*_PHASES, span=3.0)
        trial.strike()
        trial.child.send(signal.SIGKILL)

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes[0] != -signal.SIGKILL:
            yield f"return code {codes[0]}"
        yield from next_run_works(trial)


def on_terminal(trial: Trial) -> int:
    """Start an endless run on a new terminal, wait for a machine, and return the terminal's other side."""
    master, slave = pty.openpty()
    # setsid(1) makes its standard input the controlling terminal.
    trial.start(endless(trial), wrapper=("setsid", "--ctty", "--wait"), stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    trial.machines()
    time.sleep(trial.random.uniform(0, 8))
    return master


def ended_by(trial: Trial, code: int) -> Iterator[str]:
    """Yield what is wrong with a run that the trial's first signal ended."""
    if code != 128 + trial.facts["signal"]:
        yield f"exit status {code} after {trial.facts['signal'].name}"
    yield from check_record(trial, code, interrupted=True)


def next_run_works(trial: Trial) -> Iterator[str]:
    """Yield what is wrong with a new run in the home after the one that was ended."""
    done = trial.again(*short(trial))
    if done.returncode:
        yield f"the next run ends with {done.returncode}"
    if files := trial.left_over_files():
        yield f"the next run leaves files: {', '.join(files)}"


KINDS = (EndedOnce, EndedTwice, EndedThrice, EndedEarly, TerminalClosed, TerminalTyped, BenchKilled)
