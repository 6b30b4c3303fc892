# SPDX-License-Identifier: MIT
"""One trial: a home of its own, the `hil`s started in it, and what is left when they have ended."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import psutil

from hil.machine import speed
from tests.chaos.child import MARK, Child, NotSeen, started_by
from tests.chaos.home import ARCHITECTURES, KERNEL, Home

PATIENCE = 300.0
"""Nominal seconds until a trial is given up that gets nowhere. What the bench may take is in each kind's `bound`."""
GONE = 5.0
"""Nominal seconds that processes may take to be gone once the bench is."""


class Missing(Exception):
    """The fault cannot be injected: this host lacks something, or the run was through before its moment came. The trial
    is skipped, and the table says so."""


class Trial:
    """What a kind works with. `random` decides everything that is left to chance, so a seed repeats a trial."""

    def __init__(self, home: Home, random: Random, mark: str) -> None:
        self.home = home
        self.random = random
        self.mark = mark
        self.environment = {**home.environment, MARK: mark, "PYTHONFAULTHANDLER": "1"}
        self.children: list[Child] = []
        self.struck: float | None = None
        self.noticed: float | None = None
        self.facts: dict[str, Any] = {}
        """What a kind wants to remember between `inject` and `right`, and to see told when it went wrong."""

    # --- Before and while

    def lane(self) -> str:
        """Some lane that the seed's home has everything for."""
        return f"{KERNEL}/{self.random.choice(ARCHITECTURES)}/{self.random.choice(('interp', 'jit'))}"

    def start(self, arguments: Sequence[str], **options: Any) -> Child:
        """Start a `hil`; `options` are `Child`'s."""
        child = Child(arguments, self.environment, **options)
        self.children.append(child)
        return child

    @property
    def child(self) -> Child:
        """The one that was started first."""
        return self.children[0]

    def until(self, words: str, *, since: float = 0.0) -> float:
        """When the first child said a line with `words`; NotSeen when it does not."""
        return self.child.until(words, PATIENCE * speed.scale(), since=since)

    def moment(self, *phases: str, span: float) -> None:
        """Wait for a line with one of `phases`, whichever chance takes, and then up to `span` nominal seconds."""
        phase = self.random.choice(phases)
        delay = self.random.uniform(0, span)
        self.facts["moment"] = f"{delay:.2f} s behind {phase!r}"
        if phase:
            self.until(phase)
        time.sleep(delay)

    def strike(self) -> float:
        """The fault happens now; what is noticed is noticed from here on."""
        self.struck = time.monotonic()
        return self.struck

    def notice(self, words: str) -> None:
        """The bench has noticed when it says so in a line with `words`, not only when it has ended."""
        self.noticed = self.until(words, since=self.struck or 0.0)

    def machines(self, seconds: float = 60.0) -> list[psutil.Process]:
        """The QEMUs of this trial, at least one; NotSeen when none comes up in nominal seconds."""
        deadline = time.monotonic() + seconds * speed.scale()
        while True:
            found = []
            for process in started_by(self.mark):
                with contextlib.suppress(psutil.Error):
                    if process.name().startswith("qemu-system"):
                        found.append(process)
            if found:
                return found
            if self.child.ended:
                through = self.child.process.returncode == 0
                raise (
                    Missing("the run was through before the fault") if through else NotSeen("it ended before the fault")
                )
            if time.monotonic() > deadline:
                raise NotSeen("there is no QEMU")
            time.sleep(0.05)

    def again(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Another `hil` in the same home, undisturbed, to its end."""
        child = self.start(arguments)
        code = child.wait(PATIENCE * speed.scale())
        return subprocess.CompletedProcess(arguments, code, child.said, "")

    # --- Afterwards

    def end(self) -> list[int]:
        """Wait for every child; their return codes. NotSeen for one that goes on for ever."""
        return [child.wait(PATIENCE * speed.scale()) for child in self.children]

    def folders(self) -> list[Path]:
        """Run folders, in the order of their names."""
        runs = self.home.state / "hil" / "runs"
        return sorted(path for path in runs.glob("*") if path.is_dir() and not path.is_symlink())

    def record(self, folder: Path) -> dict[str, Any]:
        """What `results.json` says."""
        record: dict[str, Any] = json.loads((folder / "results.json").read_text())
        return record

    def history(self) -> list[dict[str, Any]]:
        """Rows of the history, oldest first; sqlite3.Error when it is damaged."""
        path = self.home.state / "hil" / "history.sqlite"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM run ORDER BY id")]

    def left_running(self) -> list[str]:
        """Processes that are still there when they had time to go."""
        deadline = time.monotonic() + GONE * speed.scale()
        while left := started_by(self.mark):
            if time.monotonic() > deadline:
                return [_named(process) for process in left]
            time.sleep(0.1)
        return []

    def left_lying(self) -> list[str]:
        """What should not be in any home once nobody is at work there."""
        return [str(path.relative_to(self.home.folder)) for path in self._lying()]

    def _lying(self) -> Iterator[Path]:
        yield from self.home.runtime.iterdir()
        yield from (self.home.state / "hil").rglob("*.partial")
        yield from (self.home.state / "hil" / "runs").glob(".latest-*")
        yield from (self.home.cache / "hil").rglob(".*.new-*")

    def clean(self) -> None:
        """End what is left, by its process id, so that it disturbs no other trial."""
        for process in started_by(self.mark):
            with contextlib.suppress(psutil.Error):
                process.kill()


def _named(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline()[:4])}"
    except psutil.Error:
        return str(process.pid)
