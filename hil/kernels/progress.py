# SPDX-License-Identifier: MIT
"""Shows the progress of a long job: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hil import terminal


class Listener(Protocol):
    """Receives the steps of a job and the progress within a step, possibly very often."""

    def step(self, what: str) -> None:
        """Begin a step, which ends the one before."""

    def advance(self, done: int, total: int | None = None) -> None:
        """Report that `done` of `total` of the step is complete; `total` is None when it is unknown."""


class Silent:
    """A listener that shows nothing."""

    def step(self, what: str) -> None:
        pass

    def advance(self, done: int, total: int | None = None) -> None:
        pass


class Lines:
    """Writes a line for each step and each tenth of it; when the total is unknown, a line for each 1000 lines."""

    def __init__(self, subject: str, write: Callable[[str], None]) -> None:
        self._subject, self._write = subject, write
        self._what, self._mark = "", 0

    def step(self, what: str) -> None:
        self._what, self._mark = what, 0
        self._write(f"{self._subject}: {what}")

    def advance(self, done: int, total: int | None = None) -> None:
        mark = done * 10 // total if total else done // 1000
        if mark > self._mark:
            self._mark = mark
            self._write(f"{self._subject}: {self._what}: {f'{mark * 10} %' if total else f'{mark * 1000} lines'}")


class Bars:
    """Shows a bar for the current step, below a line for each step so far."""

    def __init__(self, subject: str, bars: Progress) -> None:
        self._subject, self._bars = subject, bars
        self._task = bars.add_task(subject, total=None, amount="")

    def step(self, what: str) -> None:
        self._bars.console.print(f"{self._subject}: {what}", style="dim", markup=False, soft_wrap=True)
        self._bars.reset(self._task, total=None, amount="")

    def advance(self, done: int, total: int | None = None) -> None:
        amount = f"{done * 100 // total} %" if total else f"{done} lines"
        self._bars.update(self._task, total=total, completed=done, amount=amount)


@contextmanager
def shown(subject: str) -> Iterator[Listener]:
    """Yield a listener that shows the progress on stderr until the block ends."""
    console = terminal.console(stderr=True)
    if not terminal.interactive(console):
        yield Lines(subject, lambda line: console.print(line, markup=False, soft_wrap=True))
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[amount]}")
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        yield Bars(subject, bars)
