# SPDX-License-Identifier: MIT
"""Standard output and standard error that cost nothing but themselves when they can no longer be written.

A job that works for minutes prints on the way. Whoever read that may have seen enough, as `head` does, a terminal may
be closed, a disk with the log may be full; none of that is a reason to lose the work, least of all from whichever
thread happened to print. What cannot be written is dropped, and `failure` remembers why.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, TextIO


class _Stream(io.FileIO):
    """A descriptor of ours; after the first failure it takes everything and writes nothing."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                return super().write(data)
            except OSError as error:
                self.failure = error
        return memoryview(data).nbytes


_output: _Stream | None = None


def install() -> None:
    """Put such streams in the place of `sys.stdout` and `sys.stderr`."""
    global _output
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free; else a file of ours would get the number
    sys.stdout, _output = _instead(sys.stdout)
    sys.stderr, _ = _instead(sys.stderr)


def failure() -> OSError | None:
    """Why standard output could not be written to its end; None when it was."""
    if _output is None:
        return None
    with contextlib.suppress(ValueError):  # closed
        sys.stdout.flush()
    return _output.failure


def _instead(stream: TextIO | None) -> tuple[TextIO, _Stream | None]:
    if not isinstance(stream, io.TextIOWrapper):
        return stream, None  # type: ignore[return-value]  # None where the descriptor was closed, as Python has it
    raw = _Stream(stream.fileno(), "wb", closefd=False)
    text = io.TextIOWrapper(
        raw if stream.write_through else io.BufferedWriter(raw),  # as python -u has it
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return text, raw
