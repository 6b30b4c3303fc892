# SPDX-License-Identifier: MIT
"""A file as a pipe, for a program that reads pipes and sockets only."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
from io import FileIO

_log = logging.getLogger(__name__)

_ROOM = 1 << 20
"""Bytes: what anybody may give a pipe (pipe-max-size in proc_sys_fs(5))."""


def pipe_of(file: FileIO) -> int:
    """Return the reading end of a pipe that a thread fills with the bytes of a file; the caller closes it. The thread
    ends with the file, or when nobody has the reading end any more, and closes the file. Raises OSError when there is
    no pipe, RuntimeError when there is no thread; the file is closed then, too.

    The bytes go from the page cache into the pipe without a copy, by sendfile(2).
    """
    with contextlib.ExitStack() as opened:
        opened.enter_context(file)
        reader, writer = os.pipe()
        opened.callback(os.close, reader)
        opened.callback(os.close, writer)
        with contextlib.suppress(OSError):  # a user may have many pipes already: it is slower then
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _ROOM)
        threading.Thread(target=_fill, args=(file, writer), name=f"feed {file.name}", daemon=True).start()
        opened.pop_all()  # the thread and the caller close them
        return reader


def _fill(file: FileIO, writer: int) -> None:
    try:
        while os.sendfile(writer, file.fileno(), None, _ROOM):
            pass
    except OSError as error:
        # A reader that is gone is missed by whoever waits for it. One that gets too little says so, but QEMU 7.2 tries
        # for ever to read what does not even begin: whoever waits for it must find by other means what is wrong.
        _log.debug("%s: %s", file.name, error)
    finally:
        os.close(writer)
        file.close()
