"""Programs of the host that may work for minutes, and end with us however we end, with all they started."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from hil import keeper
from hil.errors import BenchError

_lock = threading.Lock()
_running: set[subprocess.Popen[str]] = set()
_refused = 0


def run(
    argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `argv`, which gets no input, to its end; how it ended and what it said. A program that is not there ends with
    127. BenchError while `none` is in force."""
    reader, writer = os.pipe()
    try:
        with _lock:
            if _refused:
                raise BenchError(f"{argv[0]} was not started: the bench is about to end")
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, *argv],
                cwd=cwd,
                env=environment,
                stdin=reader,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                process_group=0,  # Ctrl-C is for us
            )
            _running.add(process)
        try:
            stdout, stderr = process.communicate()
        finally:
            os.close(writer)
            writer = -1
            process.wait()
            with _lock:
                _running.discard(process)
    finally:
        os.close(reader)
        if writer >= 0:
            os.close(writer)
    return subprocess.CompletedProcess(argv, process.returncode, stdout, stderr)


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
