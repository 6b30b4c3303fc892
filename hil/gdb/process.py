"""The gdb process: cannot outlive the bench, and is read by the thread that started it."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from hil.errors import BenchError
from hil.machine import launch


class GdbProcess:
    """gdb from exec to exit.

    One thread starts it, reads its lines and reaps it, because `PR_SET_PDEATHSIG` (see `hil.machine.launch`) counts the
    death of the thread that forked. pygdbmi's own controller does none of this, and spins when gdb is gone; only its
    parser is used.
    """

    def __init__(self, argv: Sequence[str], *, on_line: Callable[[str], None], on_exit: Callable[[int], None]) -> None:
        """Start `argv`. `on_line` gets every line it prints and `on_exit` its return code (negative for a signal), both
        from the thread that watches it."""
        self._argv = list(argv)
        self._on_line = on_line
        self._on_exit = on_exit
        started: queue.SimpleQueue[subprocess.Popen[str] | OSError] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._live, args=(started,), name="gdb", daemon=True)
        self._thread.start()
        outcome = started.get()
        if isinstance(outcome, OSError):
            raise BenchError(f"cannot start {argv[0]}: {outcome.strerror}") from outcome
        self._popen = outcome

    @property
    def pid(self) -> int:
        return self._popen.pid

    def write(self, line: str) -> None:
        """Send one line; harmless when gdb is gone, which the thread that reads it notices."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._popen.stdin.write(f"{line}\n")
            self._popen.stdin.flush()

    def wait(self, seconds: float) -> bool:
        """Wait until gdb is gone and `on_exit` has been called; whether that is so."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def kill(self) -> None:
        """End gdb; harmless when it is gone."""
        self._popen.kill()
        self._thread.join()

    def _live(self, started: queue.SimpleQueue[subprocess.Popen[str] | OSError]) -> None:
        try:
            popen = subprocess.Popen(
                under_launch(self._argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                env=environment(),
                # Ctrl-C is for the bench, which then ends gdb in order.
                process_group=0,
            )
        except OSError as error:
            started.put(error)
            return
        started.put(popen)
        with popen:
            assert popen.stdout is not None
            for line in popen.stdout:
                self._on_line(line.rstrip("\n"))
            code = popen.wait()
        self._on_exit(code)


def under_launch(argv: Sequence[str]) -> list[str]:
    """The command that becomes `argv`, tied to the life of the thread that starts it."""
    return [sys.executable, "-I", "-S", str(Path(launch.__file__)), str(os.getpid()), *argv]


def environment() -> dict[str, str]:
    """Ours, but gdb speaks English and asks no server on the network for debug information."""
    return {**os.environ, "LC_ALL": "C.UTF-8", "DEBUGINFOD_URLS": ""}
