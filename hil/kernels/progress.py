# SPDX-License-Identifier: MIT
"""Telling somebody how far a long job is: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from hil import terminal


class Listener(Protocol):
    """Is told of steps, and within a step how much is done. It may be told very often."""

    def step(self, what: str) -> None:
        """A step begins, and with it the one before ends."""

    def advance(self, done: int, total: int | None = None) -> None:
        """`done` of `total` of the step; None when nobody knows how much there will be."""


class Silent:
    """Tells nobody."""

    def step(self, what: str) -> None:
        pass

    def advance(self, done: int, total: int | None = None) -> None:
        pass


class Lines:
    """A line for each step, and one for each tenth of it; of an unknown total, one for each 1000 lines."""

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
    """A bar for the step at work, below a line for each step so far."""

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
    """A listener that shows what it is told on stderr, for as long as the block runs."""
    console = terminal.console(stderr=True)
    if not terminal.interactive(console):
        yield Lines(subject, lambda line: console.print(line, markup=False, soft_wrap=True))
        return
    columns = TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[amount]}")
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        yield Bars(subject, bars)
