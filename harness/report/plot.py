# SPDX-License-Identifier: MIT
"""Earlier runs as a page: for each command the verdicts and the time of its runs, one bar a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from harness.compare import Verdict
from harness.history.store import Entry
from harness.report.templates import TEMPLATES, style

HEIGHT, STEP = 120, 14
"""The height of a plot and the width of a run in it, in the units of its drawing."""


@dataclass(frozen=True)
class Bar:
    """The share of a run's results that have a verdict; `top` and `height` are parts of 1."""

    verdict: Verdict
    top: float
    height: float


@dataclass(frozen=True)
class Run:
    """A run with its bars, from the top: what needs attention, then agreement. `slow` is its time as a part of the
    longest run's of the command."""

    entry: Entry
    bars: tuple[Bar, ...]
    slow: float

    @property
    def sentence(self) -> str:
        """Returns what the run gave, in words."""
        counts = ", ".join(f"{number} {verdict}" for verdict, number in _ordered(self.entry))
        ended = " (interrupted)" if self.entry.interrupted else ""
        return (
            f"run {self.entry.id} of {self.entry.started}: {counts or 'nothing judged'} in {self.entry.seconds:.0f} s, "
            f"exit status {self.entry.exit_status}{ended}"
        )


@dataclass(frozen=True)
class Plot:
    """The runs of one command, the earliest first."""

    command: str
    runs: tuple[Run, ...]

    @property
    def longest(self) -> float:
        """Returns the seconds of the run that took longest."""
        return max(run.entry.seconds for run in self.runs)


def plots(entries: Iterable[Entry]) -> tuple[Plot, ...]:
    """Returns a plot for each command, the one that ran last first. `entries` are the newest first, as the history
    has them; where the output went does not make another command."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(shlex.join(_words(entry.command)), []).append(entry)
    return tuple(Plot(command, tuple(_runs(some[::-1]))) for command, some in found.items())


def render(entries: Iterable[Entry]) -> str:
    """Returns the page, which needs no other file. A command that ran once is a line below the plots."""
    drawn = plots(entries)
    return TEMPLATES.get_template("plot.html.j2").render(
        plots=[plot for plot in drawn if len(plot.runs) > 1],
        single=[plot for plot in drawn if len(plot.runs) == 1],
        height=HEIGHT,
        step=STEP,
        verdicts=list(Verdict),
        style=style(),
    )


def _runs(entries: list[Entry]) -> Iterator[Run]:
    longest = max(entry.seconds for entry in entries) or 1.0
    for entry in entries:
        yield Run(entry, tuple(_bars(entry)), entry.seconds / longest)


def _bars(entry: Entry) -> Iterator[Bar]:
    top, total = 0.0, entry.counts.total()
    for verdict, number in _ordered(entry):
        yield Bar(verdict, top, number / total)
        top += number / total


def _ordered(entry: Entry) -> list[tuple[Verdict, int]]:
    """The counts of a run, agreement last."""
    counts = [(verdict, entry.counts[verdict]) for verdict in Verdict if entry.counts[verdict]]
    return sorted(counts, key=lambda one: one[0] is Verdict.AGREE)


def _words(command: tuple[str, ...]) -> list[str]:
    """The command as it is shown, without the program's path and --output."""
    words = iter(command[1:])
    kept = [word for word in words if not word.startswith("--output=") and not (word == "--output" and next(words, ""))]
    return ["hil", *kept]
