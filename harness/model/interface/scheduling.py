# SPDX-License-Identifier: MIT
"""The CPU on which the calling thread runs: kernel/sched/core.c, sched_setaffinity()."""

from __future__ import annotations

from harness.model.errno import Errno
from harness.model.interface.kernel import Kernel
from harness.script.operations import Pin
from harness.script.outcome import Outcome


def pin(kernel: Kernel, operation: Pin) -> Outcome:
    """Moves the thread; raises Errno EINVAL when there is no such CPU."""
    if not 0 <= operation.cpu < kernel.environment.cpus:
        raise Errno("EINVAL")
    kernel.run_on(operation.cpu)
    return Outcome(value=0)
