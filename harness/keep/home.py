# SPDX-License-Identifier: MIT
"""The folders of machines that stay up, one a lane: a record, the lock of its process, its logs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.loader.access import Access
from hil import background, directories
from hil.errors import BenchError, UserError
from hil.whole import write_whole

MODULE = "harness.keep.process"
"""The module whose process holds a machine; its command line names the lane as well."""


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
        write_whole(record(folder), json.dumps(asdict(self)) + "\n")


def home(lane: str) -> Path:
    """The folder of a lane's machine."""
    return directories.state() / "machines" / lane.replace("/", "-")


def record(folder: Path) -> Path:
    """The file with the record of a machine, which its process removes when it ends in order."""
    return folder / "machine.json"


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
    with background.found(one.pid, (MODULE, one.lane)) as process:
        if process is not None and not background.end(process):
            raise BenchError(f"the machine of {one.lane} does not end", remedy=f"see {home(one.lane)}/log")


def _read(folder: Path) -> Kept | None:
    try:
        read: dict[str, Any] = json.loads(record(folder).read_text())
        one = Kept(**{**read, "access": Access(**read["access"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    with background.found(one.pid, (MODULE, one.lane)) as process:
        return None if process is None else one
