# SPDX-License-Identifier: MIT
"""The folders of machines that stay up, one a lane: a record, a lock that the machine's process holds, its logs."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from harness.loader.access import Access
from hil import directories
from hil.errors import BenchError, UserError
from hil.whole import write_whole

STOP = 30.0
"""Seconds for an orderly end."""


@dataclass(frozen=True)
class Kept:
    """A machine that stays up: its lane, the process that holds it, when that ends by itself (seconds since the epoch),
    and how it is reached."""

    lane: str
    pid: int
    until: float
    access: Access

    @property
    def ends(self) -> str:
        """Returns the time of its end, for people."""
        return datetime.fromtimestamp(self.until).strftime("%Y-%m-%d %H:%M")

    def write(self, folder: Path) -> None:
        """Writes the record."""
        write_whole(folder / "machine.json", json.dumps(asdict(self)) + "\n")


def home(lane: str) -> Path:
    """The folder of a lane's machine."""
    return directories.state() / "machines" / lane.replace("/", "-")


def lock(folder: Path) -> FileLock:
    """The lock that the machine's process holds as long as it runs."""
    return FileLock(folder / "life.lock")


def kept(lane: str) -> Kept | None:
    """The machine of a lane; None when there is none. A record that a killed process left counts as none."""
    return _read(home(lane))


def everyone() -> Iterator[Kept]:
    """Yields every machine that is up."""
    folders = directories.state() / "machines"
    yield from filter(None, map(_read, sorted(folders.glob("*")) if folders.is_dir() else ()))


def named(lane: str) -> Kept:
    """The machine of a lane; UserError when there is none."""
    if found := kept(lane):
        return found
    up = ", ".join(one.lane for one in everyone()) or "none"
    raise UserError(f"no machine of {lane} is up", remedy=f"boot one: hil boot {lane} --keep; up are: {up}")


def stop(one: Kept) -> None:
    """Ends a machine; raises BenchError when it does not end."""
    folder = home(one.lane)
    try:
        # The process holds the lock, so the id is still its own.
        os.kill(one.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    try:
        lock(folder).acquire(timeout=STOP).lock.release()
    except Timeout:
        raise BenchError(f"the machine of {one.lane} does not end", remedy=f"see {folder}/log") from None


def _read(folder: Path) -> Kept | None:
    try:
        record: dict[str, Any] = json.loads((folder / "machine.json").read_text())
        with lock(folder).acquire(timeout=0):
            return None  # nobody holds it
    except Timeout:
        return Kept(**{**record, "access": Access(**record["access"])})
    except (OSError, ValueError):
        return None
