# SPDX-License-Identifier: MIT
"""The gdb process, which cannot outlive the bench and is read by the thread that started it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Sequence

from hil.machine.tied import TiedProcess


class GdbProcess(TiedProcess):
    """A running gdb.

    pygdbmi's own controller can outlive the bench, and spins when gdb is gone; only its parser is used.
    """

    def __init__(self, argv: Sequence[str], *, on_line: Callable[[str], None], on_exit: Callable[[int], None]) -> None:
        """Start `argv`. The thread that watches it calls `on_line` with every line it prints, and `on_exit` with its
        return code (-n when signal n ended it)."""

        def watch(popen: subprocess.Popen[str]) -> None:
            assert popen.stdout is not None
            with popen.stdout:
                for line in popen.stdout:
                    on_line(line.rstrip("\n"))
            code = popen.wait()
            on_exit(code)
            assert popen.stdin is not None
            # Last, since it fails when a line is buffered that gdb never read.
            with contextlib.suppress(OSError, ValueError):
                popen.stdin.close()

        super().__init__(
            argv,
            name="gdb",
            watch=watch,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment(),
        )

    def write(self, line: str) -> None:
        """Send one line; harmless when gdb is gone, which the watching thread notices."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._popen.stdin.write(f"{line}\n")
            self._popen.stdin.flush()

    def kill(self) -> None:
        """End gdb; harmless when it is gone."""
        self._popen.kill()
        self.wait(None)


def environment() -> dict[str, str]:
    """The bench's environment, but with English messages and no server for debug information."""
    return {**os.environ, "LC_ALL": "C.UTF-8", "DEBUGINFOD_URLS": ""}
