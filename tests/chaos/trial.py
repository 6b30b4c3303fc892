# SPDX-License-Identifier: MIT
"""One trial: its home, the `hil` processes in it, and what is left after their end."""

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
"""Nominal seconds after which a trial that makes no progress is given up; each kind's `bound` limits the bench."""
GONE = 5.0
"""Nominal seconds for other processes to end after the bench has ended."""


class Missing(Exception):
    """The fault cannot be injected: this host lacks something, or the run ended before. The trial is skipped, which the
    table counts."""


class Trial:
    """The state of one trial. `random` is the source of all random choices, so that a seed repeats a trial."""

    def __init__(self, home: Home, random: Random, mark: str) -> None:
        self.home = home
        self.random = random
        self.mark = mark
        self.environment = {**home.environment, MARK: mark, "PYTHONFAULTHANDLER": "1"}
        self.children: list[Child] = []
        self.struck: float | None = None
        self.noticed: float | None = None
        self.facts: dict[str, Any] = {}
        """State that a kind keeps between `inject` and `judge`, and that is printed when the trial is wrong."""

    # --- Before the end

    def lane(self) -> str:
        """A random lane of those that the seed's home is prepared for."""
        return f"{KERNEL}/{self.random.choice(ARCHITECTURES)}/{self.random.choice(('interp', 'jit'))}"

    def start(self, arguments: Sequence[str], **options: Any) -> Child:
        """Start a `hil`; `options` are `Child`'s."""
        child = Child(arguments, self.environment, **options)
        self.children.append(child)
        return child

    @property
    def child(self) -> Child:
        """The child that was started first."""
        return self.children[0]

    def until(self, words: str, *, since: float = 0.0) -> float:
        """Wait for a line with `words` of the first child; returns its time, NotSeen when none comes."""
        return self.child.until(words, PATIENCE * speed.scale(), since=since)

    def moment(self, *phases: str, span: float) -> None:
        """Wait for a line with one of `phases`, chosen at random, and then a random time up to `span` seconds."""
        phase = self.random.choice(phases)
        delay = self.random.uniform(0, span)
        self.facts["moment"] = f"{delay:.2f} s after {phase!r}"
        if phase:
            self.until(phase)
        time.sleep(delay)

    def strike(self) -> float:
        """Record that the fault is injected now; returns the time."""
        self.struck = time.monotonic()
        return self.struck

    def notice(self, words: str) -> None:
        """Wait until the bench reports the fault in a line with `words`, which counts as noticing it."""
        self.noticed = self.until(words, since=self.struck or 0.0)

    def machines(self, seconds: float = 60.0) -> list[psutil.Process]:
        """Wait for QEMU processes of this trial and return them; NotSeen when none starts in nominal `seconds`."""
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
                done = self.child.process.returncode == 0
                raise Missing("the run ended before the fault") if done else NotSeen("it failed before the fault")
            if time.monotonic() > deadline:
                raise NotSeen("there is no QEMU")
            time.sleep(0.05)

    def again(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another `hil` in the same home to its end, without a fault."""
        child = self.start(arguments)
        code = child.wait(PATIENCE * speed.scale())
        return subprocess.CompletedProcess(arguments, code, child.output, "")

    # --- After the end

    def end(self) -> list[int]:
        """Wait for every child; returns their return codes, NotSeen when one does not end."""
        return [child.wait(PATIENCE * speed.scale()) for child in self.children]

    def folders(self) -> list[Path]:
        """The run folders, in the order of their names."""
        runs = self.home.state / "hil" / "runs"
        return sorted(path for path in runs.glob("*") if path.is_dir() and not path.is_symlink())

    def record(self, folder: Path) -> dict[str, Any]:
        """The content of `results.json`."""
        record: dict[str, Any] = json.loads((folder / "results.json").read_text())
        return record

    def history(self) -> list[dict[str, Any]]:
        """The rows of the history, oldest first; sqlite3.Error when it is damaged."""
        path = self.home.state / "hil" / "history.sqlite"
        if not path.exists():
            return []
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute("SELECT * FROM run ORDER BY id")]

    def left_over_processes(self) -> list[str]:
        """The processes that still run after they had time to end."""
        deadline = time.monotonic() + GONE * speed.scale()
        while left := started_by(self.mark):
            if time.monotonic() > deadline:
                return [_named(process) for process in left]
            time.sleep(0.1)
        return []

    def left_over_files(self) -> list[str]:
        """The files that should not be in a home in which nothing runs, by their paths in it."""
        return [str(path.relative_to(self.home.folder)) for path in self._left_over()]

    def _left_over(self) -> Iterator[Path]:
        yield from self.home.runtime.iterdir()
        yield from (self.home.state / "hil").rglob("*.partial")
        yield from (self.home.state / "hil" / "runs").glob(".latest-*")
        yield from (self.home.cache / "hil").rglob(".*.new-*")

    def clean(self) -> None:
        """Kill left-over processes by their ids, so that they disturb no other trial."""
        for process in started_by(self.mark):
            with contextlib.suppress(psutil.Error):
                process.kill()


def _named(process: psutil.Process) -> str:
    try:
        return f"{process.pid} {' '.join(process.cmdline()[:4])}"
    except psutil.Error:
        return str(process.pid)
