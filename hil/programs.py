# SPDX-License-Identifier: MIT
"""Finds programs of the host, and runs those that may take minutes; they and their children end with the bench, however
it ends."""

from __future__ import annotations

import logging
import os
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hil import keeper
from hil.errors import BenchError

_log = logging.getLogger(__name__)

NOT_FOUND = 127
"""The status of a program that does not exist."""


class NotInstalled(BenchError):
    """A program of the host is missing, so that trying again does not help."""


_lock = threading.Lock()
_running: set[subprocess.Popen[str]] = set()
_refused = 0


def require(program: str, package: str) -> Path:
    """Returns the path of `program`; raises NotInstalled, which names the Debian package, when there is none."""
    path = shutil.which(program)
    if path is None:
        raise NotInstalled(f"{program} is not installed", remedy=f"install it, on Debian: apt-get install {package}")
    return Path(path)


def run(
    argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `argv` without input to its end; returns its exit status and output. The status is 127 when the program does
    not exist, 128 + n when signal n ended it. Raises BenchError as from `supervised`."""
    with supervised(argv, environment=environment, cwd=cwd, stderr=subprocess.PIPE) as process:
        stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)


@contextmanager
def supervised(
    argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None, stderr: int
) -> Iterator[subprocess.Popen[str]]:
    """Yield the process of `hil.keeper` that runs `argv` and ends with its status. Its stdout is a pipe, its stderr is
    `stderr`, in the sense of `subprocess`.

    The program's process group is killed when the block ends, and when the bench is killed. Raises BenchError when it
    cannot be started, and while `stopped` is active.
    """
    with ExitStack() as stack:
        reader, writer = os.pipe()
        stack.callback(os.close, reader)
        liveness = stack.enter_context(os.fdopen(writer, "wb"))
        with _lock:
            if _refused:
                raise BenchError(f"{argv[0]} was not started: the bench is about to end")
            try:
                process = subprocess.Popen(
                    [sys.executable, "-I", "-S", keeper.__file__, *argv],
                    cwd=cwd,
                    env=environment,
                    stdin=reader,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                    errors="replace",
                    process_group=0,  # Ctrl-C is for us
                )
            except OSError as error:
                raise BenchError(f"cannot start {argv[0]}: {error.strerror}") from error
            _running.add(process)
        _log.debug("started %s", shlex.join(argv))
        try:
            yield process
        finally:
            liveness.close()
            with process:  # closes its pipes, and waits
                pass
            with _lock:
                _running.discard(process)
            _log.debug("%s ended with %s", argv[0], process.returncode)


def ending() -> bool:
    """Whether `stopped` is active; long waits check this periodically."""
    return _refused > 0


@contextmanager
def stopped() -> Iterator[None]:
    """End every program that runs in any thread, and start no other one until the block ends."""
    global _refused
    with _lock:
        _refused += 1
        for process in _running:
            process.terminate()
    try:
        yield
    finally:
        with _lock:
            _refused -= 1
