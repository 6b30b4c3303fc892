# SPDX-License-Identifier: MIT
"""The interface of what a script can run on: a machine under QEMU, a real board, or, for tests, this host.

A board that is reached over SSH is added as one module with one class that implements `Target`; no user of `Target`
asks which of them it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from hil.arch import Architecture
from hil.errors import BenchError

if TYPE_CHECKING:
    from hil.machine.postmortem import PostMortem


class ByteStream(Protocol):
    """A two-way stream of bytes to a program that runs on a target."""

    def write(self, data: bytes) -> None:
        """Send all of `data`; raises MachineLost when the program or the target is gone."""

    def read(self, size: int) -> bytes:
        """Wait for data and return 1 to `size` bytes, none at the end of the stream. Raises MachineLost when the target
        died."""

    def close(self) -> None:
        """Close the program's input and release the stream; harmless when repeated."""


@dataclass(frozen=True)
class Completed:
    """The exit status of a command (128 + n when signal n ended it) and its output."""

    status: int
    stdout: bytes
    stderr: bytes


class Target(Protocol):
    """A target that commands and the agent can run on, as root. A context manager that starts on entry (powers on,
    boots, connects) and always stops; every error of its operation is a MachineLost."""

    # Properties

    @property
    def arch(self) -> Architecture: ...

    @property
    def agent(self) -> str:
        """The path of the agent on the target."""

    @property
    def tracing(self) -> str:
        """The path of tracefs on the target."""

    @property
    def emulator(self) -> str:
        """The emulator and its version, while it runs; empty where the hardware is real."""

    @property
    def command(self) -> Sequence[str]:
        """The command that starts the same target at a terminal; empty where there is none."""

    # Liveness

    @property
    def alive(self) -> bool:
        """Whether it runs, as far as is known."""

    def lost_reason(self) -> str | None:
        """Why it was lost; None while it runs."""

    def on_loss(self, callback: Callable[[], None]) -> None:
        """Call `callback` when the target is lost or stopped, in the thread that notices; at once when it already
        is."""

    def stop(self) -> None:
        """Stop it and release everything; harmless when repeated, from any thread, and before it was started."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    # Console

    @property
    def console_log(self) -> Path | None:
        """The file with everything that its console printed; None where the console is not recorded."""

    @property
    def log_lacks(self) -> int:
        """The number of printed bytes that are missing in `console_log`, once it is stopped."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """Suspicious observations that did not stop it, a sentence each."""

    @property
    def postmortem(self) -> PostMortem | None:
        """What was left when it died or hung, as far as that could be read; None while nothing of the kind was
        seen, and once it answers again after a hang."""

    # Use

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """Run a command to its end; raises MachineLost when the target dies or `timeout` (seconds at nominal speed)
        passes."""

    def open(self, argv: Sequence[str]) -> ByteStream:
        """Start a command; returns a stream to its standard input and output."""


def read_file(target: Target, path: str, *, remedy: str = "") -> bytes:
    """The content of a file on the target; raises BenchError, with `remedy`, when it cannot be read."""
    return _output(target, ["cat", path], f"cannot read {path} on the target", remedy)


def write_file(target: Target, path: str, content: bytes, *, remedy: str = "") -> None:
    """Write a file on the target; raises BenchError, with `remedy`, when it cannot be written."""
    # The file is opened, not replaced, because it may be one below /proc/sys, where the write fails for invalid values.
    _output(target, ["sh", "-c", 'cat >"$1"', "write", path], f"cannot write {path} on the target", remedy, content)


def _output(target: Target, argv: Sequence[str], what: str, remedy: str, stdin: bytes = b"") -> bytes:
    done = target.run(argv, stdin=stdin)
    if done.status:
        complaint = done.stderr.decode(errors="replace").strip()
        raise BenchError(f"{what}: {complaint or f'status {done.status}'}", remedy=remedy)
    return done.stdout
