# SPDX-License-Identifier: MIT
"""A script that the bench runs as a child: it becomes a program that cannot outlive the bench.

    python -I -S launch.py <pid of the bench> <program> <argument>...

By `PR_SET_PDEATHSIG` (prctl(2)) the kernel kills the program however the bench ends, including by SIGKILL. It is a
script of its own because the alternatives are worse: `preexec_fn` runs Python between fork and exec of a program with
threads, and `setpriv --pdeathsig` cannot notice that the bench died before the call.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1

if __name__ == "__main__":
    bench, argv = int(sys.argv[1]), sys.argv[2:]
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    # The bench may have died before the call above, and then no signal will ever come.
    if os.getppid() != bench:
        sys.exit("the bench is gone")
    os.execvp(argv[0], argv)
