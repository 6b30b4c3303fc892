# SPDX-License-Identifier: MIT
"""The guest's console: watched live, its last lines kept, searched for signs of trouble."""

from __future__ import annotations

import re
import socket
import threading
import tomllib
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from hil import resources
from hil.machine.liveness import Liveness

# "[    1.234567] " or, with CONFIG_PRINTK_CALLER, "[    1.234567][    T1] "; absent with printk.time=0.
_STAMP = re.compile(r"^(\[ *\d+\.\d+\])?(\[ *[TC]\d+\])? ?")


# A guest that prints without end must not take the host's memory.
_MOST_LINES = 100_000
_LONGEST_LINE = 1 << 16


class Kind(StrEnum):
    """What a symptom may mean, as `images/boot.toml` explains."""

    PANIC = "panic"
    TROUBLE = "trouble"
    RESTART = "restart"


@dataclass(frozen=True)
class Symptom:
    """How the kernel announces trouble; the fields are explained in `images/boot.toml`."""

    text: str
    kind: Kind
    why: str


@cache
def symptoms() -> tuple[Symptom, ...]:
    """Every symptom of `images/boot.toml`, in the order of the file."""
    table = tomllib.loads((resources.folder("images") / "boot.toml").read_text())
    return tuple(Symptom(row["text"], Kind(row["kind"]), row["why"]) for row in table["symptom"])


def diagnose(line: str) -> Symptom | None:
    """The symptom that a line of the console shows. Only what the kernel says first on a line counts."""
    message = _STAMP.sub("", line, count=1)
    return next((symptom for symptom in symptoms() if message.startswith(symptom.text)), None)


class Console:
    """Reads the console to its end in a thread of its own; the end is the end of QEMU."""

    def __init__(self, stream: socket.socket, liveness: Liveness) -> None:
        self._stream = stream
        self._liveness = liveness
        self._lines = deque([""], _MOST_LINES)
        self._first_trouble: str | None = None
        self.received = 0
        """Bytes so far."""
        self._panic: str | None = None
        self._thread = threading.Thread(target=self._watch, name="console", daemon=True)
        self._thread.start()

    @property
    def lines(self) -> list[str]:
        """What was printed last, a line an entry, without line ends. The log file has all of it."""
        return list(self._lines)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def tail(self, count: int = 40) -> str:
        """The last `count` lines."""
        return "\n".join(self.lines[-count:]).strip("\n")

    @property
    def panic(self) -> str | None:
        """What was printed last in the words of a panic, with the first trouble before it; None when nothing was, or
        the guest has restarted in order since.

        They are words: every program may print them. A panic is what the machine does then; it ends.
        """
        return self._panic

    @property
    def first_trouble(self) -> str | None:
        """The first message that showed trouble, of the kernel or of the guest's init."""
        return self._first_trouble

    def shows(self, text: str) -> bool:
        """Whether a line contains `text`."""
        return any(text in line for line in self.lines)

    def drain(self, seconds: float) -> None:
        """Wait until everything that a dead QEMU left in the stream is read."""
        self._thread.join(seconds)

    def _watch(self) -> None:
        with self._stream:
            while data := self._receive():
                self.received += len(data)
                # Bytes that are no UTF-8 are as good as any other garbage a dying kernel prints.
                first, *rest = data.decode(errors="replace").replace("\r", "").split("\n")
                self._lines[-1] += first
                for line in rest:
                    self._end_line(line)
                if len(self._lines[-1]) > _LONGEST_LINE:
                    self._end_line("")
                self._liveness.wake()
        self._examine(self._lines[-1])

    def _end_line(self, following: str) -> None:
        self._examine(self._lines[-1])
        self._lines.append(following)

    def _receive(self) -> bytes:
        try:
            return self._stream.recv(1 << 16)
        except OSError:
            return b""

    def _examine(self, line: str) -> None:
        symptom = diagnose(line)
        if symptom is None:
            return
        message = _STAMP.sub("", line, count=1).strip()
        match symptom.kind:
            case Kind.TROUBLE:
                self._first_trouble = self._first_trouble or message
            case Kind.PANIC:
                # It is often the consequence of what was printed before; name both.
                self._panic = message + (f" (first: {self._first_trouble})" if self._first_trouble else "")
            case Kind.RESTART:
                self._panic = None
