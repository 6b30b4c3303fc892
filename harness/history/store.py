# SPDX-License-Identifier: MIT
"""The history's file.

Writers are serialized by SQLite: one transaction for each run, so a run is recorded whole or not at all, whatever
happens to the process, the host or the disk in between. Readers do not wait for writers (WAL,
https://www.sqlite.org/wal.html).
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.compare import Verdict
from harness.history.schema import STEPS
from harness.run.document import document, parse
from harness.run.results import RunReport
from hil import directories
from hil.errors import BenchError, UserError

PATIENCE = 60.0
"""The seconds that a writer waits for others; each of them needs some milliseconds."""


@dataclass(frozen=True)
class Recorded:
    """One run of the history. `folder` is where its run folder was."""

    id: int
    folder: Path
    report: RunReport


@dataclass(frozen=True)
class Entry:
    """One run in a list, with what a line shows."""

    id: int
    started: str
    seconds: float
    exit_status: int
    interrupted: bool
    folder: Path
    command: tuple[str, ...]
    lanes: tuple[str, ...]
    counts: Counter[Verdict]


def default_path() -> Path:
    """Returns `HIL_HISTORY`, or `history.sqlite` in the state folder."""
    return Path(os.environ.get("HIL_HISTORY") or directories.state() / "history.sqlite")


class History:
    """The runs in the file at `path`, which is made with the first one. Every failure is a BenchError."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or default_path()

    def record(self, report: RunReport, folder: Path) -> int:
        """Adds a run; returns its number. Nothing is added when this raises."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BenchError(f"cannot make {self.path.parent}: {error.strerror}", remedy="set HIL_HISTORY") from error
        row = (
            report.started,
            report.seconds,
            report.exit_status,
            str(folder.absolute()),
            json.dumps(document(report)),
        )
        with self._connection() as connection, _transaction(connection):
            cursor = connection.execute(
                "INSERT INTO run (started, seconds, exit_status, folder, report) VALUES (?, ?, ?, ?, ?)", row
            )
        assert cursor.lastrowid is not None
        return cursor.lastrowid

    def entries(self, limit: int) -> list[Entry]:
        """Returns the newest runs, newest first; none when nothing was ever recorded."""
        if not self.path.exists():
            return []
        with self._connection() as connection:
            rows = connection.execute(
                """
                SELECT id, started, seconds, exit_status, folder,
                       json_extract(report, '$.command'), json_extract(report, '$.lanes'),
                       coalesce(json_extract(report, '$.interrupted'), 0),
                       coalesce(json_extract(report, '$.tallies'), '[]')
                FROM run ORDER BY id DESC LIMIT ?
                """,
                (limit,),
            ).fetchall()
            counts: dict[int, Counter[str]] = {row[0]: Counter() for row in rows}
            for run, verdict, count in connection.execute(
                "SELECT run, verdict, count(*) FROM result WHERE run >= ? GROUP BY run, verdict",
                (min(counts, default=0),),
            ):
                if run in counts:
                    counts[run][verdict] += count
            for row in rows:  # results that are counted, not listed
                for tally in json.loads(row[8]):
                    counts[row[0]].update(tally["verdicts"])
        return [self._entry(row, counts[row[0]]) for row in rows]

    def _entry(self, row: tuple[Any, ...], counts: Counter[str]) -> Entry:
        try:
            return Entry(
                id=row[0],
                started=row[1],
                seconds=float(row[2]),
                exit_status=row[3],
                interrupted=bool(row[7]),
                folder=Path(row[4]),
                command=_strings(row[5]),
                lanes=_strings(row[6]),
                counts=Counter({Verdict(verdict): count for verdict, count in counts.items()}),
            )
        except (ValueError, TypeError) as error:
            raise BenchError(
                f"the history {self.path} has a run {row[0]} this hil cannot read: {error}",
                remedy="use a newer hil, or name another with HIL_HISTORY",
            ) from error

    def get(self, number: int | None = None) -> Recorded:
        """Returns the run of that number, or the latest; raises UserError when there is none."""
        row = None
        if self.path.exists():
            with self._connection() as connection:
                row = connection.execute(
                    "SELECT id, folder, report FROM run WHERE id = coalesce(?, (SELECT max(id) FROM run))", (number,)
                ).fetchone()
        if row is None:
            which = "run yet" if number is None else f"run {number}"
            raise UserError(f"the history {self.path} has no {which}", remedy="see `hil history list`")
        return Recorded(row[0], Path(row[1]), parse(row[2], f"run {row[0]} in {self.path}"))

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
            try:
                self._prepare(connection)
                # One sync costs little beside a run, and a power cut then loses no run that was reported as recorded.
                connection.execute("PRAGMA synchronous = FULL")
                yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise BenchError(
                f"the history {self.path}: {error}", remedy="look at its disk, or name another with HIL_HISTORY"
            ) from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Migrates the file to the current layout."""
        taken = _version(connection)
        if taken > len(STEPS):
            raise BenchError(
                f"the history {self.path} has layout {taken}, this hil knows {len(STEPS)}",
                remedy="use a newer hil, or name another with HIL_HISTORY",
            )
        if taken == len(STEPS):
            return
        # Turning WAL on needs the file alone, and SQLite does not wait for that as it waits for a writer.
        with FileLock(self.path.with_name(f"{self.path.name}.lock"), timeout=PATIENCE):
            connection.execute("PRAGMA journal_mode = WAL")
            with _transaction(connection):
                for number, step in enumerate(STEPS[_version(connection) :], _version(connection) + 1):
                    for statement in step:
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {number}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Opens a write transaction from its first statement on: it waits for other writers here, and nowhere later."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled back already; https://www.sqlite.org/lang_transaction.html
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _strings(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))
