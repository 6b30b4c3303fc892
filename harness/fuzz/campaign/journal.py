# SPDX-License-Identifier: MIT
"""The journal of a campaign: a line of JSON for each range of cases that is through, with all that came of it.

A line is written and synced before the next one begins, so that a kill, at whatever moment, costs the ranges that were
under way, and nothing else: they are run again. A line that was not written to its end is no line.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from harness.run.document import structured
from harness.run.results import ScriptResult, Tally
from hil.errors import BenchError, UserError

NAME = "journal.jsonl"


@dataclass(frozen=True)
class Entry:
    """A range of cases: `count` of them from number `first` on. Everything is in `tallies`, a lane each; `findings`
    are the results that are neither agreement nor unsupported, in the order of their lanes and numbers; `seconds` is
    how long it took by the clock of the host. `reached` are the points of coverage, by the rules of the place, that no
    range before it in this journal had."""

    first: int
    count: int
    tallies: tuple[Tally, ...]
    findings: tuple[ScriptResult, ...] = ()
    seconds: float = 0.0
    reached: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def numbers(self) -> range:
        return range(self.first, self.first + self.count)


class Journal:
    """The journal in a folder, which one process at a time may write to. It is a context manager."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._lock = FileLock(folder / f"{NAME}.lock", timeout=0)

    def __enter__(self) -> Journal:
        """Raises UserError when another process writes to it, BenchError when it cannot be written."""
        try:
            self._lock.acquire()
            self._end_behind_last_line()
            self._file = self._path.open("ab")
        except Timeout:
            raise UserError(
                f"another hil runs the campaign in {self._path.parent}", remedy="wait for it, or end it"
            ) from None
        except OSError as error:
            self._lock.release()
            raise self._unwritable(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with contextlib.suppress(OSError):  # of what `append` could not write, and has told
                self._file.close()
        finally:
            self._lock.release()

    def append(self, entry: Entry) -> None:
        """Adds a range; it is on the disk when this returns. Raises BenchError when it cannot be written."""
        line = json.dumps(asdict(entry), default=str).encode() + b"\n"
        try:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._unwritable(error) from error

    def _end_behind_last_line(self) -> None:
        """Cuts off a line that a kill left half-written."""
        if self._path.exists():
            with self._path.open("r+b") as file:
                end = 0
                for line in file:
                    end += len(line) if line.endswith(b"\n") else 0
                file.truncate(end)

    def _unwritable(self, error: OSError) -> BenchError:
        return BenchError(
            f"cannot write {self._path}: {error.strerror}",
            remedy="look at its disk; what is recorded is kept, and --resume goes on from there",
        )


def read(folder: Path) -> Iterator[Entry]:
    """Yields every range that is through, once, one after the other; none when nothing is.

    Raises UserError for what is not a journal.
    """
    path = folder / NAME
    seen: set[int] = set()
    if not path.exists():
        return
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            entry = _parsed(line, f"line {number} of {path}")
            if entry.first not in seen:
                seen.add(entry.first)
                yield entry


def _parsed(line: bytes, where: str) -> Entry:
    try:
        data: Mapping[str, Any] = json.loads(line)
    except ValueError as error:
        raise UserError(f"{where} is not JSON: {error}", remedy="remove the line: its cases are run again") from None
    entry: Entry = structured(Entry, data, where)
    return entry
