# SPDX-License-Identifier: MIT
"""Mistakes of a test's author: they are shown at the line of the test, without the bench's own source."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

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


def _own(filename: str) -> bool:
    """Whether a line is the bench's, or of code that was made, as a dataclass's `__init__`."""
    return filename.startswith("<") or any(Path(filename).is_relative_to(folder) for folder in OWN)
