# SPDX-License-Identifier: MIT
"""Runs in the child, as a script: become a program, but never outlive the bench.

    python -I -S launch.py <pid of the bench> <program> <argument>...

`PR_SET_PDEATHSIG` (prctl(2)) has the kernel kill the program however the bench ends, SIGKILL included.  It is a script
of its own because the other ways are worse: `preexec_fn` runs Python between fork and exec of a program with threads,
and `setpriv --pdeathsig` cannot notice that the bench died before the call.
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
