# SPDX-License-Identifier: MIT
"""The agent on this host, over the pipes of a subprocess: the quickest target there is."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence

from hil.arch import Architecture, architectures
from hil.errors import BenchError, MachineLost


class ProcessStream:
    """A ByteStream to a program on this host."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    @property
    def pid(self) -> int:
        return self._process.pid

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._stdin.fileno(), view) :]
        except (OSError, ValueError) as error:
            raise MachineLost(f"a program on this host is gone: {error}") from error

    def read(self, size: int) -> bytes:
        try:
            return os.read(self._stdout.fileno(), size)
        except (OSError, ValueError):
            return b""

    def close(self) -> None:
        """Close the program's input, and kill it when it has not ended five seconds later.

        Its output stays open until the program is gone, so that a reading thread sees the end of the stream.
        """
        self._stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._process.wait()
        self._stdout.close()

    def wait(self, timeout: float = 60.0) -> int:
        """Wait for the program to end; returns its exit status, -n when signal n ended it."""
        return self._process.wait(timeout)


def host_architecture() -> Architecture:
    """The architecture of this host; raises BenchError when `images/architectures.toml` has none for it."""
    machine = platform.machine()
    for arch in architectures().values():
        if machine in arch.host_machines:
            return arch
    raise BenchError(f"no agent for this host's machine type {machine!r}", remedy="use a machine under QEMU")
