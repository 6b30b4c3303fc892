"""What the agent can run on: a machine under QEMU, a real board, or, for tests, this host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hil.arch import Architecture


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
    """Anything commands and the agent can be run on."""

    @property
    def arch(self) -> Architecture: ...

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Completed:
        """Run a command to its end; MachineLost when the target dies or `timeout` (seconds at nominal speed) passes."""

    def open(self, argv: Sequence[str]) -> ByteStream:
        """Start a command and talk to it."""
