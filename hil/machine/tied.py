# SPDX-License-Identifier: MIT
"""Programs that cannot outlive the bench."""

from __future__ import annotations

import logging
import os
import queue
import shlex
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import Any

from hil import programs
from hil.errors import BenchError

_log = logging.getLogger(__name__)

_WHILE_THERE = '[ "$PPID" = "$0" ] || { echo "the bench is gone" >&2; exit 1; }; trap "" XFSZ; exec "$@"'
"""The bench may have died before the death signal was asked for, and then none would ever come. A program that exceeds
a limit of a file's size (setrlimit(2)) is to say so, not to be killed."""


class TiedProcess:
    """A running program in a process group of its own: Ctrl-C goes to the bench only, which then ends it in order.

    `PR_SET_PDEATHSIG` (prctl(2)) takes the death of the *thread* that forked for the death of the parent. So the
    thread that starts the program stays until it ends; it also reaps it, and so notices the end at once.
    """

    def __init__(
        self, argv: Sequence[str], *, name: str, watch: Callable[[subprocess.Popen[Any]], None], **options: Any
    ) -> None:
        """Start `argv` with `options` of `subprocess.Popen`; raises BenchError when no process can be made, or as
        `tied`. A program that does not exist ends with status 127.

        `watch` runs in the thread called `name`, and returns when the program has ended and is reaped.
        """
        command = tied(argv)
        started: queue.SimpleQueue[subprocess.Popen[Any] | OSError] = queue.SimpleQueue()

        def live() -> None:
            try:
                popen = subprocess.Popen(command, process_group=0, **options)
            except OSError as error:
                started.put(error)
                return
            started.put(popen)
            watch(popen)

        self._thread = threading.Thread(target=live, name=name, daemon=True)
        self._thread.start()
        outcome = started.get()
        if isinstance(outcome, OSError):
            raise BenchError(f"cannot start {argv[0]}: {outcome.strerror}") from outcome
        self._popen = outcome
        _log.debug("started %s as process %d: %s", name, self.pid, shlex.join(argv))

    @property
    def pid(self) -> int:
        return self._popen.pid

    def wait(self, seconds: float | None) -> bool:
        """Wait up to `seconds` (None: for ever) until the program is gone and `watch` has returned; returns whether."""
        self._thread.join(seconds)
        return not self._thread.is_alive()


def tied(argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` and is killed when the thread that started it ends, however that comes about.

    Not `preexec_fn`, which runs Python between fork and exec of a program with threads; nor Python as the program in
    between, whose start takes longer than QEMU's. Raises BenchError when the host has no setpriv.
    """
    setpriv = programs.require("setpriv", "util-linux")
    return [str(setpriv), "--pdeathsig", "KILL", "sh", "-c", _WHILE_THERE, str(os.getpid()), *argv]
