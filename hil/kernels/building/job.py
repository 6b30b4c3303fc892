# SPDX-License-Identifier: MIT
"""A program that runs for minutes: its output kept in a log, its whole family ended when we are."""

from __future__ import annotations

import errno
import os
import shlex
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from hil import cache, programs
from hil.errors import BenchError

# Lines of the log that an error shows.
TAIL = 25


class Log:
    """What programs said, in a file of the user's that outlives the build, and its last lines in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tail: deque[str] = deque(maxlen=TAIL)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open("w", buffering=1)
        except OSError as error:
            raise _unwritable(path, error) from error

    def line(self, text: str) -> None:
        """BenchError when the log cannot be written."""
        self._tail.append(text)
        try:
            self._file.write(f"{text}\n")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def tail(self) -> str:
        return "\n".join(self._tail)

    def close(self) -> None:
        with suppress(OSError):  # what is still to be written belongs to an error that is told already
            self._file.close()


def _unwritable(path: Path, error: OSError) -> BenchError:
    return BenchError(f"cannot write the log {path}: {error.strerror}", remedy="make room there, or set XDG_STATE_HOME")


class Failed(BenchError):
    """The program ended with another status than 0; `details` has the last lines it said."""


def run(argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Log, step: Callable[[], None]) -> None:
    """Run `argv` to its end, with `step` called for every line it says. Failed unless it ends with status 0.

    Unusable when it failed for want of space. However this is left, and however we end, nothing of the program's
    process group goes on: make has no time to remove what is half made, since the folder it works in is removed, too.
    """
    log.line(f"+ {shlex.join(argv)}")
    if shutil.which(argv[0], path=environment.get("PATH")) is None:
        raise BenchError(f"cannot start {argv[0]}: {os.strerror(errno.ENOENT)}")
    with programs.kept(argv, environment=environment, cwd=cwd, stderr=subprocess.STDOUT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            log.line(line.rstrip("\n"))
            step()
        status = process.wait()
    if status == 0:
        return
    for number in (errno.ENOSPC, errno.EDQUOT):
        if os.strerror(number) in log.tail():
            raise cache.Unusable(cwd, number)
    killed = status - 128 in signal.valid_signals()
    how = f"was killed by {signal.Signals(status - 128).name}" if killed else f"ended with status {status}"
    raise Failed(f"`{_short(argv)}` {how}", remedy=f"the whole log is {log.path}", details=log.tail())


def _short(argv: Sequence[str]) -> str:
    """The command without make's variables, which fill a line of their own."""
    return " ".join(word for word in argv if "=" not in word)
