# SPDX-License-Identifier: MIT
"""A file as a pipe, for a program that reads pipes and sockets only."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from pathlib import Path

_ROOM = 1 << 20
"""Bytes: what anybody may give a pipe (pipe-max-size in proc_sys_fs(5))."""


def pipe_of(source: Path) -> int:
    """Return the reading end of a pipe that a thread fills with the file's bytes; the caller closes it. The thread ends
    with the file, or when nobody has the reading end any more. Raises OSError when the file cannot be opened.

    The bytes go from the page cache into the pipe without a copy, by sendfile(2).
    """
    file = os.open(source, os.O_RDONLY | os.O_CLOEXEC)
    reader, writer = os.pipe()
    with contextlib.suppress(PermissionError):  # a user may have many pipes already: it is slower then
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _ROOM)
    threading.Thread(target=_fill, args=(file, writer), name=f"feed {source.name}", daemon=True).start()
    return reader


def _fill(file: int, writer: int) -> None:
    try:
        # A reader that is gone is missed by whoever waits for it, and one that gets too little says so.
        with contextlib.suppress(OSError):
            while os.sendfile(writer, file, None, _ROOM):
                pass
    finally:
        os.close(writer)
        os.close(file)
