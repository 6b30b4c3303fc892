# SPDX-License-Identifier: MIT
"""How errors of the bench are shown in a test's report: those of its author at the line of the test, without the
bench's own source, and all by their names alone."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

import hil
from hil.errors import UserError

OWN = (Path(hil.__file__).parent, Path(__file__).parents[1])
"""The packages of the bench."""


def at_the_tests_line(raised: pytest.ExceptionInfo[BaseException]) -> None:
    """Cuts the traceback of a UserError behind the last line that is not the bench's; that of others stays."""
    if not isinstance(raised.value, UserError):
        return
    last: TracebackType | None = None
    entry: TracebackType | None = raised.tb
    while entry is not None:
        last = last if _own(entry.tb_frame.f_code.co_filename) else entry
        entry = entry.tb_next
    if last is not None:
        # pytest follows the chain itself when it leaves out its own frames.
        last.tb_next = None
        raised.traceback = type(raised.traceback)(raised.tb)


def shorten(report: pytest.TestReport, raised: BaseException) -> None:
    """Leaves the modules of the bench's exceptions out of a report: pytest has little room for its summary's line,
    which then begins with what happened."""
    chain: list[tuple[Any, Any, str | None]] = getattr(report.longrepr, "chain", [])
    names = {}
    error: BaseException | None = raised
    while error is not None:
        kind = type(error)
        if kind.__module__.partition(".")[0] in {folder.name for folder in OWN}:
            names[f"{kind.__module__}.{kind.__qualname__}"] = kind.__qualname__
        error = error.__cause__ or error.__context__
    for long, short in names.items():
        for traceback, crash, _ in chain:
            for entry in traceback.reprentries:
                entry.lines[:] = [_without(line, long, short) for line in entry.lines]
            if crash is not None:
                crash.message = _without(crash.message, long, short)


def _without(line: str, long: str, short: str) -> str:
    begin = line[: len(line) - len(line.removeprefix("E").lstrip())]
    return begin + short + line[len(begin) + len(long) :] if line.startswith(begin + long) else line


def _own(filename: str) -> bool:
    """Whether a line is the bench's, or of code that was made, as a dataclass's `__init__`."""
    return filename.startswith("<") or any(Path(filename).is_relative_to(folder) for folder in OWN)
