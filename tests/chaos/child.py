# SPDX-License-Identifier: MIT
"""One real `hil` process, observed from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psutil

MARK = "HIL_CHAOS"
"""The environment variable that identifies every process of a trial, whatever its parent is now."""


class NotSeen(Exception):
    """A trial waited in vain: it cannot inject its fault, or the bench did not notice it."""


class Child:
    """A `hil` process with its own standard streams, and every line of its output with the time.

    `stdout` and `stderr` are as for `subprocess.Popen`; by default both are read here.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        wrapper: Sequence[str] = (),
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.STDOUT,
    ) -> None:
        self.lines: list[tuple[float, str]] = []
        self.ended: float | None = None
        self._changed = threading.Condition()
        self.process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "hil", *arguments],
            env=environment,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=not wrapper,  # Ctrl-C for the campaign is not a fault to inject
        )
        streams = [stream for stream in (self.process.stdout, self.process.stderr) if stream is not None]
        self._readers = [threading.Thread(target=self._read, args=(stream,), daemon=True) for stream in streams]
        threading.Thread(target=self._reap, daemon=True).start()
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def output(self) -> str:
        """The output so far."""
        with self._changed:
            return "\n".join(line for _, line in self.lines)

    def follow(self, stream: IO[bytes]) -> None:
        """Read its output from `stream`, too: the other side of a terminal."""
        threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; harmless when it has ended."""
        self.process.send_signal(number)

    def until(self, words: str, seconds: float, *, since: float = 0.0) -> float:
        """Wait for a line with `words` after `since` (`time.monotonic`); returns its time, NotSeen when none comes."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                for moment, line in self.lines:
                    if words in line and moment >= since:
                        return moment
                remaining = deadline - time.monotonic()
                if remaining <= 0 or (self.ended and not any(reader.is_alive() for reader in self._readers)):
                    raise NotSeen(f"it never printed {words!r}")
                self._changed.wait(min(remaining, 0.5))

    def wait(self, seconds: float) -> int:
        """Wait until it has ended and its output is read; returns the return code, NotSeen when it does not end in
        time."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while self.ended is None:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    break
                self._changed.wait(remaining)
        if self.ended is None:
            self.process.send_signal(signal.SIGABRT)  # it prints the stacks of its threads, see `PYTHONFAULTHANDLER`
            time.sleep(1)
            raise NotSeen(f"it did not end within {seconds:.0f} s")
        for reader in self._readers:
            reader.join(5)  # it does not end when a left-over process still has the stream
        code: int | None = self.process.returncode
        assert code is not None
        return code

    def _read(self, stream: IO[bytes]) -> None:
        with suppress(OSError):  # a closed terminal gives EIO
            for line in stream:
                with self._changed:
                    self.lines.append((time.monotonic(), line.decode(errors="replace").rstrip("\r\n")))
                    self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()

    def _reap(self) -> None:
        self.process.wait()
        with self._changed:
            self.ended = time.monotonic()
            self._changed.notify_all()


def started_by(mark: str) -> list[psutil.Process]:
    """The living processes with the mark `mark`, or of all trials whose marks begin with it when it ends with a
    slash."""
    wanted = f"{MARK}={mark}" if mark.endswith("/") else f"{MARK}={mark}\0"
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            if wanted.encode() in (folder / "environ").read_bytes():
                process = psutil.Process(int(folder.name))
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        except (OSError, psutil.Error):
            continue
    return found
