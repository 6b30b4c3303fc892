# SPDX-License-Identifier: MIT
"""`hil debug --at`: a recorded run at an earlier instruction, on the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from harness.lockstep.past import lines, moment, overview
from harness.lockstep.taken import Taken, read
from hil.errors import UserError

_PLACE = re.compile(r"(?:(?P<run>\d+):)?(?P<step>-?\d+)")


def show_file(console: Console, file: Path, at: str | None) -> int:
    """Prints what a file of `--record` has `at` a place, or the runs that it has; returns the exit status."""
    taken = read(file)
    if at is None:
        _print(console, overview(taken))
    else:
        show_moment(console, taken, at)
    return 0


def show_moment(console: Console, taken: Taken, at: str) -> None:
    """Prints a recorded run at a place, `RUN:STEP` or `STEP` of the first run; raises UserError when there is none."""
    run, step = place(at)
    _print(console, lines(moment(taken, run, step)))


def place(at: str) -> tuple[int, int]:
    """Returns the run and the step that a text names; raises UserError when it names none."""
    found = _PLACE.fullmatch(at)
    if found is None:
        raise UserError(
            f"{at!r} is no place in a record", remedy="write RUN:STEP, as in 1:17; STEP alone is of run 1, -1 its last"
        )
    return int(found["run"] or 1), int(found["step"])


def _print(console: Console, text: Iterable[str]) -> None:
    for line in text:
        console.print(Text(line), soft_wrap=True, highlight=False)
