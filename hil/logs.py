# SPDX-License-Identifier: MIT
"""Logging: to standard error with `hil -v`, and to a file in each run folder.

Every module has a logger of its own name. Single operations and scripts with the predicted result are not logged, so
the log is short and its cost is not measurable.
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
"""The name of the log file in a run folder."""
_OURS = {"hil": logging.DEBUG, "harness": logging.DEBUG}
_THEIRS = {"paramiko": logging.INFO, "qemu.qmp": logging.INFO, "asyncio": logging.INFO}
"""The levels of libraries, which below these log every packet and message."""

for _name in _OURS:
    # Without a handler, Python prints warnings to standard error.
    logging.getLogger(_name).addHandler(logging.NullHandler())


class _Screen(logging.Handler):
    """Plain lines on standard error, above the live table where there is one."""

    def __init__(self) -> None:
        super().__init__()
        self._standard_error = sys.stderr
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        """Print the record; a stream that can no longer be written is ignored."""
        # While a table is shown, rich replaces `sys.stderr` by an object that prints above it. That is right for a
        # terminal only: a file that standard error is redirected to must get its lines all the same.
        stream = sys.stderr if self._standard_error.isatty() else self._standard_error
        with contextlib.suppress(OSError, ValueError):
            print(self.format(record), file=stream, flush=True)


class File(logging.FileHandler):
    """A log file with time stamps in UTC, level, thread and logger. `failure` is the error that ended it, or None."""

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
        """Keep the error in `failure`."""
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
    """Log to standard error from now on: nothing with 0, level INFO with 1, every detail with more."""
    if verbosity == 1:
        handler = _Screen()
        handler.setLevel(logging.INFO)
        _attach(handler, _OURS)
    elif verbosity:
        _attach(_Screen(), _OURS | _THEIRS)


@contextmanager
def to_file(path: Path) -> Iterator[File]:
    """Log every detail to a new file at `path` until the block ends. A file that cannot be written raises no error; its
    `failure` has the reason."""
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
