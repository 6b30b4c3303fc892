# SPDX-License-Identifier: MIT
"""Runs a program for minutes: its output goes to a log, and its process group is killed when the bench ends."""

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

from hil import cache, programs, signals
from hil.errors import BenchError

# Lines of the log that an error shows.
TAIL = 25


class Log:
    """The output of programs, in a file that is kept after the build, and its last lines in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tail: deque[str] = deque(maxlen=TAIL)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: IO[str] = path.open("w", buffering=1)
        except OSError as error:
            raise _unwritable(path, error) from error

    def line(self, text: str) -> None:
        """Append a line; raises BenchError when the log cannot be written."""
        self._tail.append(text)
        try:
            self._file.write(f"{text}\n")
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def tail(self) -> str:
        return "\n".join(self._tail)

    def close(self) -> None:
        with suppress(OSError):  # an error about what is buffered has been reported already
            self._file.close()


def _unwritable(path: Path, error: OSError) -> BenchError:
    return BenchError(
        f"cannot write the log {path}: {error.strerror}", remedy="free space there, or set XDG_STATE_HOME"
    )


class Failed(BenchError):
    """The program ended with a status other than 0; `details` has the last lines of its output."""


def run(argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], log: Log, step: Callable[[], None]) -> None:
    """Run `argv` to its end and call `step` for every line of output; raises Failed when it ends with a status other
    than 0.

    Raises Unusable when it failed for lack of space. However this function or the bench ends, the program's process
    group is killed. make gets no time to remove partial files, because the folder it works in is removed as well.
    """
    log.line(f"+ {shlex.join(argv)}")
    if shutil.which(argv[0], path=environment.get("PATH")) is None:
        raise BenchError(f"cannot start {argv[0]}: {os.strerror(errno.ENOENT)}")
    with programs.supervised(argv, environment=environment, cwd=cwd, stderr=subprocess.STDOUT) as process:
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
    how = f"was killed by {signals.name(status - 128)}" if killed else f"ended with status {status}"
    raise Failed(f"`{_short(argv)}` {how}", remedy=f"see the whole log, {log.path}", details=log.tail())


def _short(argv: Sequence[str]) -> str:
    """The command without make's variables, which would fill a line."""
    return " ".join(word for word in argv if "=" not in word)
