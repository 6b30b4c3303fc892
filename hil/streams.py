# SPDX-License-Identifier: MIT
"""Standard output and standard error that raise no errors when they can no longer be written.

A job of minutes prints its progress. The reader of a pipe may end, as `head` does, a terminal may be closed, a disk may
be full; none of that must end the job, in whichever thread happens to print. What cannot be written is dropped, and
`failure` gives the reason.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import Any, TextIO


class _Stream(io.FileIO):
    """A file descriptor; after the first error it accepts all data and writes none."""

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
    """Replace `sys.stdout` and `sys.stderr` by such streams."""
    global _output
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free; else a file of ours would get the number
    sys.stdout, _output = _replacement(sys.stdout)
    sys.stderr, _ = _replacement(sys.stderr)


def failure() -> OSError | None:
    """The first error of writing standard output; None when there was none."""
    if _output is None:
        return None
    with contextlib.suppress(ValueError):  # closed
        sys.stdout.flush()
    return _output.failure


def _replacement(stream: TextIO | None) -> tuple[TextIO, _Stream | None]:
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
