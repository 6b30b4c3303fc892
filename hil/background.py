# SPDX-License-Identifier: MIT
"""Processes that outlive the command that started them, by the id that they wrote down."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP = 30.0
"""Seconds for an orderly end, such as that of a machine."""


@contextmanager
def found(pid: int, words: Sequence[str]) -> Iterator[int | None]:
    """Yields a descriptor (pidfd) of the process `pid`; None when it ended. Ids are reused, so that one whose command
    line lacks one of `words` is another process."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        yield None
        return
    try:
        with contextlib.suppress(OSError):
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if all(word.encode() in command for word in words):
                yield descriptor
                return
        yield None
    finally:
        os.close(descriptor)


def end(process: int) -> bool:
    """Ends a process by its descriptor, if it must be by SIGKILL, and waits for that; returns whether it ended."""
    with contextlib.suppress(ProcessLookupError):
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], STOP)[0]:
                return True
        return False
    return True
