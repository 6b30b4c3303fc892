# SPDX-License-Identifier: MIT
"""What a script can be run on: a machine under QEMU, a real board, or, for tests, this host.

A board reached over SSH is added as one module with one class that has everything in `Target`; nothing above this line
asks which of them it talks to.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from hil.arch import Architecture
from hil.errors import BenchError


class ByteStream(Protocol):
    """A two-way stream of bytes to a program that runs on a target."""

    def write(self, data: bytes) -> None:
        """Send all of `data`; MachineLost when the other side is gone."""

    def read(self, size: int) -> bytes:
        """Block for 1 to `size` bytes; empty at the end of the stream. MachineLost when the target died."""

    def close(self) -> None:
        """End the program's input and release the stream; harmless when repeated."""


@dataclass(frozen=True)
class Completed:
    """What a command left: its exit status (128 + n when signal n ended it) and what it printed."""

    status: int
    stdout: bytes
    stderr: bytes


class Target(Protocol):
    """Anything commands and the agent can be run on, as root. A context manager that starts on entry (powers on, boots,
    connects) and always stops; every error of its life is a MachineLost."""

    # What it is

    @property
    def arch(self) -> Architecture: ...

    @property
    def agent(self) -> str:
        """The path of the agent on it."""

    @property
    def tracing(self) -> str:
        """The path of its tracing files (tracefs)."""

    @property
    def emulator(self) -> str:
        """What stands for the hardware, with its version; empty where the hardware is real. Asked while it runs."""

    @property
    def command(self) -> Sequence[str]:
        """Starts the same again at a terminal; empty where no command does."""

    # What becomes of it

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as anybody noticed."""

    def lost_reason(self) -> str | None:
        """Why it is no longer there; None while it is."""

    def on_loss(self, callback: Callable[[], None]) -> None:
        """Call `callback`, from the thread that notices, when it is lost or stopped; at once when it already is."""

    def stop(self) -> None:
        """End it and release everything; harmless when repeated, from any thread, and before it was started."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    # Its console

    @property
    def console_log(self) -> Path | None:
        """The file with everything its console printed; None where nobody listens to it."""

    @property
    def log_lacks(self) -> int:
        """Bytes that were printed and are missing in `console_log`, once it is stopped."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is strange about it though it runs, a sentence each."""

    # Use

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """Run a command to its end; MachineLost when the target dies or `timeout` (seconds at nominal speed) passes."""

    def open(self, argv: Sequence[str]) -> ByteStream:
        """Start a command and talk to it."""


def read_file(target: Target, path: str, *, remedy: str = "") -> bytes:
    """The content of a file on the target; BenchError, with `remedy`, when it cannot be read."""
    return _output(target, ["cat", path], f"cannot read {path} on the target", remedy)


def write_file(target: Target, path: str, content: bytes, *, remedy: str = "") -> None:
    """Write a file on the target; BenchError, with `remedy`, when it takes none."""
    # A file below /proc/sys is opened, not replaced; and it tells by the status of the write what it does not take.
    _output(target, ["sh", "-c", 'cat >"$1"', "write", path], f"cannot write {path} on the target", remedy, content)


def _output(target: Target, argv: Sequence[str], what: str, remedy: str, stdin: bytes = b"") -> bytes:
    done = target.run(argv, stdin=stdin)
    if done.status:
        complaint = done.stderr.decode(errors="replace").strip()
        raise BenchError(f"{what}: {complaint or f'status {done.status}'}", remedy=remedy)
    return done.stdout
