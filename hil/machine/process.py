"""One QEMU process: started so that it cannot outlive the bench, watched by the thread that started it."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from hil.errors import BenchError
from hil.machine import launch


class QemuProcess:
    """QEMU from exec to exit.

    `PR_SET_PDEATHSIG` (see `launch`) counts the death of the *thread* that forked as the death of the parent. So the
    thread that starts QEMU stays until QEMU ends; it is also the one that reaps it, and so knows at once.
    """

    def __init__(
        self, argv: Sequence[str], *, inherit: Sequence[int], stderr: Path, on_exit: Callable[[int], None]
    ) -> None:
        """Start `argv` with the descriptors `inherit`; `on_exit` gets the return code, from the watching thread."""
        self._argv = list(argv)
        self._inherit = tuple(inherit)
        self._stderr = stderr
        self._on_exit = on_exit
        started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._live, args=(started,), name="qemu", daemon=True)
        self._thread.start()
        outcome = started.get()
        if isinstance(outcome, OSError):
            raise BenchError(f"cannot start {argv[0]}: {outcome.strerror}") from outcome
        self._popen = outcome

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """As in `subprocess`: negative for a signal; None while QEMU runs."""
        return self._popen.returncode

    def wait(self, seconds: float | None) -> bool:
        """Wait, for ever with None, until QEMU is gone and `on_exit` has been called; whether that is so."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send a signal; harmless when QEMU is gone."""
        self._popen.send_signal(number)

    def _live(self, started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError]) -> None:
        command = [sys.executable, "-I", "-S", str(Path(launch.__file__)), str(os.getpid()), *self._argv]
        try:
            with self._stderr.open("wb") as stderr:
                popen = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=stderr,
                    stderr=stderr,
                    pass_fds=self._inherit,
                    # Ctrl-C is for the bench, which then ends QEMU in order.
                    process_group=0,
                )
        except OSError as error:
            started.put(error)
            return
        started.put(popen)
        self._on_exit(popen.wait())


def require_program(program: str, package: str) -> None:
    """BenchError that names the Debian package when `program` is not installed."""
    if shutil.which(program) is None:
        raise BenchError(f"{program} is not installed", remedy=f"install it, on Debian: apt-get install {package}")
