# SPDX-License-Identifier: MIT
"""The progress of a campaign: a live table on a terminal, elsewhere a line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.counting import counted
from harness.fuzz.campaign.running import Tell
from harness.fuzz.campaign.totals import FINE, Totals
from harness.run.watch import verdicts
from hil import terminal
from hil.heartbeat import PERIOD, Heartbeat


@contextmanager
def progress(console: Console, cases: int) -> Iterator[Tell]:
    """Returns what is told of a campaign with so many cases a lane; new kinds of findings are printed at once."""
    told = _Told(console, cases)
    if not terminal.interactive(console):
        with Heartbeat(lambda line: console.print(Text(line), soft_wrap=True)) as beat:
            beat(f"{counted(cases, 'case')} for each lane")

            def tell(totals: Totals) -> None:
                told.news(totals)
                if told.due():
                    beat(str(told.sum(totals)))

            yield tell
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def show(totals: Totals) -> None:
            told.news(totals)
            live.update(Group(_table(totals), told.sum(totals)))

        yield show


class _Told:
    def __init__(self, console: Console, cases: int) -> None:
        self._console, self._cases = console, cases
        self._began, self._last = time.monotonic(), -PERIOD
        self._before: int | None = None
        self._known: set[tuple[str, ...]] = set()

    def due(self) -> bool:
        """Returns whether it is time for another line, which begins to count again."""
        if time.monotonic() - self._last < PERIOD:
            return False
        self._last = time.monotonic()
        return True

    def sum(self, totals: Totals) -> Text:
        """`512 of 10000 cases, 230 results/s, 1519 points covered, 3 findings of 2 kinds`; the speed is that since the
        first time."""
        results = sum(sum(counts.values()) for counts in totals.counts().values())
        pace = ""
        if self._before is None:
            self._before, self._began = results, time.monotonic()
        elif (took := time.monotonic() - self._began) > 1:
            pace = f", {(results - self._before) / took:.0f} results/s"
        kinds = sum(key[1] not in FINE for key in totals.kinds)
        covered = f"{counted(sum(map(len, totals.reached.values())), 'point')} covered"
        found = f"{counted(totals.findings, 'finding')} of {counted(kinds, 'kind')}" if kinds else "no findings"
        return Text(f"{totals.cases} of {self._cases} cases{pace}, {covered}, {found}")

    def news(self, totals: Totals) -> None:
        for key in totals.kinds:
            if key not in self._known and key[1] not in FINE:
                lane, verdict, reason, operation, *_ = key
                self._console.print(
                    Text(f"{lane}: {verdict}: {' at '.join(filter(None, (reason.rstrip('; '), operation)))}"),
                    soft_wrap=True,
                )
        self._known |= totals.kinds.keys()


def _table(totals: Totals) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("lane", "done", "verdicts"):
        table.add_column(heading, no_wrap=heading == "lane")
    for lane, counts in totals.counts().items():
        table.add_row(lane, str(counts.total()), verdicts(counts))
    return table
