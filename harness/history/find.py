# SPDX-License-Identifier: MIT
"""Names that users give a run: its number, `latest`, its folder, or its `results.json`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.history.store import History
from harness.run.document import read
from harness.run.results import RunReport
from hil.errors import UserError

_DIGITS = 19
"""The greatest integer of SQLite, which has 64 bits."""


@dataclass(frozen=True)
class Found:
    """A run, and its name. `folder` holds its console logs; None when it is gone."""

    name: str
    folder: Path | None
    report: RunReport


def names_run(text: str) -> bool:
    """Returns whether `find` looks for a run of that name: a number, `latest`, or a file or folder that is there."""
    return _of_history(text) or (bool(text) and Path(text).exists())


def _of_history(text: str) -> bool:
    return text == "latest" or (text.isascii() and text.isdecimal() and len(text) < _DIGITS)


def find(text: str) -> Found:
    """Returns the run that `text` names; raises UserError when there is none. A number is always one of the history."""
    if _of_history(text):
        run = History().get(None if text == "latest" else int(text))
        return Found(f"run {run.id}", run.folder if run.folder.is_dir() else None, run.report)
    path = Path(text)
    if path.is_dir():
        path /= "results.json"
    elif not path.exists():
        raise UserError(
            f"there is no run {text!r}", remedy="give a number of `hil history list`, latest, or a results.json"
        )
    return Found(str(path), path.parent, read(path))
