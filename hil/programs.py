# SPDX-License-Identifier: MIT
"""Programs of the host that may work for minutes, and end with us however we end, with all they started."""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hil import keeper
from hil.errors import BenchError

_log = logging.getLogger(__name__)

_lock = threading.Lock()
_running: set[subprocess.Popen[str]] = set()
_refused = 0


def run(
    argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `argv`, which gets no input, to its end; how it ended and what it said. A program that is not there ends with
    127, one that is killed by a signal with 128 and its number. BenchError as from `kept`."""
    with kept(argv, environment=environment, cwd=cwd, stderr=subprocess.PIPE) as process:
        stdout, stderr = process.communicate()
    return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)


@contextmanager
def kept(
    argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None, stderr: int
) -> Iterator[subprocess.Popen[str]]:
    """The keeper of `argv`, which ends as that does; what it says is in a pipe, and `stderr` as `subprocess` has it.

    However this is left, nothing of the program's process group runs behind it; nor behind us, should we be killed.
    BenchError when it cannot be started, and while `none` is in force.
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
            with process:  # which closes its pipes, and waits
                pass
            with _lock:
                _running.discard(process)
            _log.debug("%s ended with %s", argv[0], process.returncode)


def ending() -> bool:
    """Whether `none` is in force; whoever waits for what may take minutes asks now and then."""
    return _refused > 0


@contextmanager
def none() -> Iterator[None]:
    """End every program that runs in any thread, and start no other one until this is left."""
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
