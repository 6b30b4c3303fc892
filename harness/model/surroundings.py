"""What a program's helpers see of the world beside memory and maps: who calls."""

from __future__ import annotations

from dataclasses import dataclass, field

from harness.model.environment import Environment
from harness.script.outcome import Unknown

MOST_PIDS = 1 << 22
"""PID_MAX_LIMIT of 64 bit kernels, include/linux/threads.h."""
PID = Unknown("the calling process", least=1, most=MOST_PIDS - 1)
THREAD = Unknown("the calling thread", least=1, most=MOST_PIDS - 1)


@dataclass(eq=False)
class Caller:
    """The process in whose system calls programs run. `comm` is its name, None when nobody gave it one; `pid` its
    number; `tid` that of the thread that makes them, None for the first one's, which is the process's."""

    uid: int = 0
    gid: int = 0
    comm: bytes | None = None
    pid: Unknown = PID
    tid: Unknown | None = None


@dataclass
class Surroundings:
    """Of a kernel at a time."""

    caller: Caller = field(default_factory=Caller)


def of(environment: Environment) -> Surroundings:
    """The surroundings of a lane that does nothing."""
    return Surroundings(Caller(environment.uid, environment.uid))
