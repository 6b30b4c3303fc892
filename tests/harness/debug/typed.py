# SPDX-License-Identifier: MIT
"""A command on a terminal of its own, at which a test types, Ctrl-C too."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

# Makes the terminal that it was given the one of its session, so that Ctrl-C becomes a signal.
_ON_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Typed:
    """A command whose standard streams are a pseudo-terminal; it shows `prompt` when it waits. A context manager, with
    which the command ends."""

    def __init__(self, command: Sequence[str], *, prompt: str, patience: float) -> None:
        """Starts it; whoever waits gives up after `patience` seconds."""
        self._prompt = prompt
        self._patience = patience
        self.text = ""
        """What it printed since the last answer."""
        self._earlier = ""
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _ON_TERMINAL, *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env=os.environ | {"TERM": "dumb"},
        )
        os.close(slave)

    def __enter__(self) -> Typed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._master)  # which hangs up
        self._process.wait(self._patience)

    def write(self, text: str) -> None:
        """Types it."""
        self._earlier += self.text
        self.text = ""
        os.write(self._master, text.encode())

    def seen(self, text: str) -> None:
        """Waits until it has printed the text; raises AssertionError when it ends before, or takes too long."""
        deadline = time.monotonic() + self._patience
        while text not in self.text:
            ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
            more = self._read() if ready else ""
            assert more, f"no {text!r}: {self._earlier}{self.text}"
            self.text += more

    def answer(self, command: str = "") -> str:
        """Types a command, and returns what it printed until it waits again."""
        if command:
            self.write(f"{command}\n")
        self.seen(self._prompt)
        return self.text

    def interrupt(self) -> None:
        """Presses Ctrl-C, and waits until the command shows its prompt."""
        self.write("\x03")
        self.seen(self._prompt)

    def ended(self) -> int:
        """Returns the status with which it ends."""
        while more := self._read():
            self.text += more
        return self._process.wait(self._patience)

    def descendants(self) -> dict[int, str]:
        """Returns the processes that it has started, and those they have, by their numbers."""
        found: dict[int, str] = {}
        left = [self._process.pid]
        while left:
            for task in Path(f"/proc/{left.pop()}/task").glob("*/children"):
                for pid in map(int, task.read_text().split()):
                    found[pid] = Path(f"/proc/{pid}/comm").read_text().strip()
                    left.append(pid)
        return found

    def _read(self) -> str:
        try:
            return os.read(self._master, 4096).decode(errors="replace").replace("\r\n", "\n").replace("\r", "")
        except OSError:  # EIO: nobody has the other end any more
            return ""
