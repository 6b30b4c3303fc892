# SPDX-License-Identifier: MIT
"""One QEMU process."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from hil.machine.tied import TiedProcess


class QemuProcess(TiedProcess):
    """A running QEMU."""

    def __init__(
        self, argv: Sequence[str], *, inherit: Sequence[int], stderr: Path, on_exit: Callable[[int], None]
    ) -> None:
        """Start `argv` with the descriptors `inherit`; the watching thread calls `on_exit` with the return code."""
        with stderr.open("wb") as messages:
            super().__init__(
                argv,
                name="qemu",
                watch=lambda popen: on_exit(popen.wait()),
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=messages,
                pass_fds=tuple(inherit),
            )

    @property
    def returncode(self) -> int | None:
        """The return code, -n when signal n ended QEMU; None while it runs."""
        code: int | None = self._popen.returncode
        return code

    @property
    def stopped(self) -> bool:
        """Whether the QEMU process is stopped by a signal (state T of proc(5)) or a tracer (t)."""
        with contextlib.suppress(OSError):  # It is gone.
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] in "Tt"
        return False

    def send(self, number: signal.Signals) -> None:
        """Send a signal; harmless when QEMU is gone."""
        self._popen.send_signal(number)
