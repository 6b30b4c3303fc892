# SPDX-License-Identifier: MIT
"""The progress of a run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.compare import Verdict
from harness.lane import Lane
from harness.run.plan import Share
from harness.run.results import ScriptResult
from hil.heartbeat import PERIOD, Heartbeat

_log = logging.getLogger(__name__)

STYLES = {
    Verdict.AGREE: "green",
    Verdict.DIVERGE: "bold red",
    Verdict.DISAGREE: "bold red",
    Verdict.FLAKY: "bold red",
    Verdict.KNOWN: "yellow",
    Verdict.UNSUPPORTED: "dim",
    Verdict.LOST: "bold magenta",
    Verdict.ERROR: "bold magenta",
}

_WIDE = 100
"""The least columns of a screen with bars."""


class Watch(Protocol):
    """Receives progress, from any thread."""

    def state(self, share: Share, text: str) -> None:
        """Reports what the machine of `share` is doing now."""

    def done(self, lane: Lane, result: ScriptResult) -> None:
        """Reports one more result, of one round."""


class Plain:
    """A line for every change of state and every result but agreement; a reason that many share is printed once."""

    def __init__(self, console: Console, shares: tuple[Share, ...] = (), *, period: float = PERIOD) -> None:
        self._console = console
        self._reported: set[str] = set()
        self._total = sum(len(share.scripts) * share.rounds * len(share.lanes) for share in shares)
        self._done, self._began = 0, time.monotonic()
        self._tell = Heartbeat(self._print, self._progress, period=period)

    def __enter__(self) -> Plain:
        """Tells every few seconds how far the run is, while there is nothing else to tell, until the block ends."""
        self._tell.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._tell.__exit__(kind, error, trace)

    def state(self, share: Share, text: str) -> None:
        self._tell(f"{share.name}: {text}")

    def done(self, lane: Lane, result: ScriptResult) -> None:
        self._done += 1
        if result.verdict is not Verdict.AGREE and result.reason not in self._reported:
            self._reported.add(result.reason)
            self._tell(f"{lane} {result.script}: {result.verdict}: {result.reason}")

    def _progress(self, _line: str, _seconds: float) -> str:
        return progress(self._done, self._total, time.monotonic() - self._began)

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)


class Logged:
    """Logs what it passes on to `watch`, except agreement."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def state(self, share: Share, text: str) -> None:
        _log.debug("%s: %s", share.name, text)
        self._watch.state(share, text)

    def done(self, lane: Lane, result: ScriptResult) -> None:
        if result.verdict is not Verdict.AGREE:
            _log.debug("%s %s: %s: %s", lane, result.script, result.verdict, result.reason)
        self._watch.done(lane, result)


class LiveTable:
    """A table with a row a lane, redrawn in place."""

    def __init__(self, console: Console, shares: tuple[Share, ...]) -> None:
        self._lock = threading.Lock()
        self._console = console
        self._shares = shares
        self._total = sum(len(share.scripts) * share.rounds * len(share.lanes) for share in shares)
        self._states = {share.name: "waiting" for share in shares}
        self._counts: dict[Lane, Counter[Verdict]] = {lane: Counter() for share in shares for lane in share.lanes}
        self._began = time.monotonic()
        self._live = Live(console=console, get_renderable=self._table, refresh_per_second=4, transient=True)

    def __enter__(self) -> LiveTable:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, trace)

    def state(self, share: Share, text: str) -> None:
        with self._lock:
            self._states[share.name] = text

    def done(self, lane: Lane, result: ScriptResult) -> None:
        with self._lock:
            self._counts[lane][result.verdict] += 1

    def _table(self) -> Table:
        """Returns the table. On a narrow screen, bars are left out and what machines do is cut, but no lane's name."""
        barred = self._console.width >= _WIDE
        table = Table(box=None, pad_edge=False)
        table.add_column("lane", no_wrap=True)
        for heading in (*([""] if barred else []), "done", "verdicts", "machine"):
            table.add_column(heading)
        with self._lock:
            done, total = sum(counts.total() for counts in self._counts.values()), self._total
            table.caption = progress(done, total, time.monotonic() - self._began)
            for share in self._shares:
                for lane in share.lanes:
                    counts = self._counts[lane]
                    done, total = counts.total(), len(share.scripts) * share.rounds
                    bar = [ProgressBar(total=total, completed=done, width=20)] if barred else []
                    state = Text(
                        self._states[share.name] if done < total else "done", overflow="ellipsis", no_wrap=True
                    )
                    table.add_row(str(lane), *bar, Text(f"{done}/{total}", no_wrap=True), verdicts(counts), state)
        return table


def progress(done: int, total: int, seconds: float) -> str:
    """`120 of 400 results, 35 s, about 80 s to go`; without the latter until there is something to go by."""
    rest = f", about {seconds * (total - done) / done:.0f} s to go" if 0 < done < total else ""
    return f"{done} of {total} results, {seconds:.0f} s{rest}"


def verdicts(counts: Counter[Verdict]) -> Text:
    """`12 agree  1 diverge`, coloured; verdicts nobody got are left out."""
    parts = [Text(f"{counts[verdict]} {verdict}", style=STYLES[verdict]) for verdict in Verdict if counts[verdict]]
    return Text("  ").join(parts)
