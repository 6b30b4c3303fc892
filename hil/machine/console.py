# SPDX-License-Identifier: MIT
"""The guest's console: read while it runs, its last lines kept, searched for symptoms of trouble."""

from __future__ import annotations

import re
import socket
import threading
import tomllib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from hil import resources
from hil.machine.liveness import Liveness

# "[    1.234567] " or, with CONFIG_PRINTK_CALLER, "[    1.234567][    T1] "; absent with printk.time=0.
_STAMP = re.compile(r"^(\[ *\d+\.\d+\])?(\[ *[TC]\d+\])? ?")


# A guest that prints without end must not exhaust the host's memory.
_MOST_LINES = 100_000
_LONGEST_LINE = 1 << 16
_LONGEST_TAIL = 200


class Kind(StrEnum):
    """The kind of a symptom; `images/boot.toml` explains them."""

    PANIC = "panic"
    TROUBLE = "trouble"
    RESTART = "restart"


@dataclass(frozen=True)
class Symptom:
    """A message by which the kernel announces trouble; `images/boot.toml` explains the fields."""

    text: str
    kind: Kind
    why: str


@cache
def symptoms() -> tuple[Symptom, ...]:
    """Every symptom of `images/boot.toml`, in the order of the file."""
    table = tomllib.loads((resources.folder("images") / "boot.toml").read_text())
    return tuple(Symptom(row["text"], Kind(row["kind"]), row["why"]) for row in table["symptom"])


def diagnose(line: str) -> Symptom | None:
    """The symptom that a line of the console begins with, after its time stamp; None when it shows none."""
    message = _STAMP.sub("", line, count=1)
    return next((symptom for symptom in symptoms() if message.startswith(symptom.text)), None)


def _is_panic(line: str) -> bool:
    symptom = diagnose(line)
    return symptom is not None and symptom.kind is Kind.PANIC


class Console:
    """Reads the console in a thread of its own until QEMU ends."""

    def __init__(
        self, stream: socket.socket, liveness: Liveness, on: Mapping[str, Callable[[], None]] | None = None
    ) -> None:
        """Read `stream` until it ends; call a function of `on`, in the reading thread, when a line begins with its
        text."""
        self._stream = stream
        self._liveness = liveness
        self._on = on or {}
        self._lines = deque([""], _MOST_LINES)
        self._first_trouble: str | None = None
        self.received = 0
        """The number of bytes read so far."""
        self._panic: str | None = None
        self._restarts = False
        self._thread = threading.Thread(target=self._watch, name="console", daemon=True)
        self._thread.start()

    @property
    def lines(self) -> list[str]:
        """The last lines that were printed, without line ends. The log file has all of them."""
        return list(self._lines)

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    def tail(self, count: int = 40) -> str:
        """The last `count` lines; of a kernel that panicked all since it said so, at most `_LONGEST_TAIL`."""
        lines = self.lines
        begin = len(lines) - count
        if self._panic is not None:
            said = (number for number, line in enumerate(lines) if _is_panic(line))
            begin = max(min(next(said, begin), begin), len(lines) - _LONGEST_TAIL)
        return "\n".join(lines[max(begin, 0) :]).strip("\n")

    @property
    def panic(self) -> str | None:
        """The last message of a panic, with the first trouble before it; None when there was none, or the guest has
        restarted in order since.

        The message alone is no proof, since any program may print it: after a real panic the machine ends.
        """
        return self._panic

    @property
    def restarts(self) -> bool:
        """Whether the guest announced a restart in order, and no panic since."""
        return self._restarts

    @property
    def first_trouble(self) -> str | None:
        """The first message of trouble from the kernel or the guest's init; None when there was none."""
        return self._first_trouble

    def shows(self, text: str) -> bool:
        """Whether a line contains `text`."""
        return any(text in line for line in self.lines)

    def drain(self, seconds: float) -> None:
        """Wait until what QEMU wrote before it ended is read, at most `seconds`."""
        self._thread.join(seconds)

    def _watch(self) -> None:
        with self._stream:
            while data := self._receive():
                self.received += len(data)
                # A crashing kernel may print bytes that are not UTF-8.
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
        for text, call in self._on.items():
            if line.startswith(text):
                call()
        symptom = diagnose(line)
        if symptom is None:
            return
        message = _STAMP.sub("", line, count=1).strip()
        match symptom.kind:
            case Kind.TROUBLE:
                self._first_trouble = self._first_trouble or message
            case Kind.PANIC:
                # It is often a consequence of the first trouble; name both.
                self._panic = message + (f" (first: {self._first_trouble})" if self._first_trouble else "")
                self._restarts = False
            case Kind.RESTART:
                self._panic = None
                self._restarts = True
