# SPDX-License-Identifier: MIT
"""What goes on behind the user's back: on standard error for who says `hil -v`, and in a file in each run folder.

Every module has a logger of its own name. Nothing is logged of a single operation, nor of a script that is as
predicted, so a log costs a run nothing that can be measured, and stays readable.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "hil.log"
"""Of the file in a run folder."""
_OURS = {"hil": logging.DEBUG, "harness": logging.DEBUG}
_THEIRS = {"paramiko": logging.INFO, "qemu.qmp": logging.INFO, "asyncio": logging.INFO}
"""What libraries log below this is every packet and message."""

for _name in _OURS:
    # Without one, Python prints warnings that nobody asked for.
    logging.getLogger(_name).addHandler(logging.NullHandler())


class _Screen(logging.Handler):
    """Plain lines on standard error, above the live table where there is one."""

    def __init__(self) -> None:
        super().__init__()
        self._standard_error = sys.stderr
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record. Where nobody reads any more, the work goes on."""
        # While a table lives, rich has put something in the place of `sys.stderr` that prints above it. That is right
        # for a screen and for nothing else: a file that standard error leads to must get its lines all the same.
        stream = sys.stderr if self._standard_error.isatty() else self._standard_error
        with contextlib.suppress(OSError, ValueError):
            print(self.format(record), file=stream, flush=True)


class File(logging.FileHandler):
    """A log file with time stamps in UTC, the level, the thread and the logger. `failure` says why it breaks off."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace", delay=True)
        self.failure: Exception | None = None
        form = "%(asctime)s.%(msecs)03dZ %(levelname)-7s %(threadName)s %(name)s: %(message)s"
        formatter = logging.Formatter(form, "%Y-%m-%dT%H:%M:%S")
        formatter.converter = time.gmtime
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, unless one before it could not be written."""
        if self.failure is None:
            try:
                super().emit(record)
            except OSError as error:  # the file cannot even be made
                self.failure = error

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        """Keep what went wrong for whoever made the log."""
        error = sys.exc_info()[1]
        assert isinstance(error, Exception)
        self.failure = error

    def close(self) -> None:
        """Close the file; harmless when that fails, or when there never was one."""
        try:
            super().close()
        except OSError as error:
            self.failure = self.failure or error


def to_screen(verbosity: int) -> None:
    """Print on standard error from now on: with 0 nothing, with 1 what happened, with more every detail."""
    if verbosity == 1:
        handler = _Screen()
        handler.setLevel(logging.INFO)
        _attach(handler, _OURS)
    elif verbosity:
        _attach(_Screen(), _OURS | _THEIRS)


@contextmanager
def to_file(path: Path) -> Iterator[File]:
    """Write every detail to a new file at `path` until this is left. One that cannot be written ends nothing: its
    `failure` says so."""
    file = File(path)
    names = _OURS | _THEIRS
    before = {name: logging.getLogger(name).level for name in names}
    _attach(file, names)
    try:
        yield file
    finally:
        for name, level in before.items():
            logging.getLogger(name).removeHandler(file)
            logging.getLogger(name).setLevel(level)
        file.close()


def _attach(handler: logging.Handler, levels: dict[str, int]) -> None:
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).addHandler(handler)
