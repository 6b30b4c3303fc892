# SPDX-License-Identifier: MIT
"""A script that the bench runs as a child: it runs a program, and kills its process group when the bench is gone.

    python -I -S keeper.py <program> <argument>...

Standard input is a pipe whose other end only the bench holds. When that end is closed, by the bench or by its death,
the program's process group is killed, as it is on SIGTERM. `PR_SET_PDEATHSIG` would reach the program alone: apt's
methods are processes of their own, which would keep waiting for a mirror.
"""

import os
import select
import signal
import sys
from contextlib import suppress


def _end(*_: object) -> None:
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    liveness = os.dup(0)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGTERM, _end)
    # The program's end wakes `poll`; pidfd_open(2) would be simpler, but hosts before Linux 5.3 lack it.
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    program = os.fork()
    if program == 0:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            os.execvp(sys.argv[1], sys.argv[1:])
        except OSError as error:
            os.write(2, f"{sys.argv[1]}: {error.strerror}\n".encode())
            os._exit(127)
    try:
        with suppress(OSError):  # it has done so itself, and has called execve already
            os.setpgid(program, program)
        waiting = select.poll()
        waiting.register(liveness, select.POLLHUP)
        waiting.register(woken, select.POLLIN)
        ended = 0
        while not ended:
            if liveness in {descriptor for descriptor, _ in waiting.poll()}:
                _end()
            os.read(woken, 512)
            ended, status = os.waitpid(program, os.WNOHANG)
        code = os.waitstatus_to_exitcode(status)
        sys.exit(code if code >= 0 else 128 - code)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(program, signal.SIGKILL)
