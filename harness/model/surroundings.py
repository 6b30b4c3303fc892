# SPDX-License-Identifier: MIT
"""What a program's helpers see besides memory and maps: the caller, the time, the trace buffer."""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.environment import Environment
from harness.model.printk import Printed
from harness.script.outcome import Line, Unknown

MOST_PIDS = 1 << 22
"""PID_MAX_LIMIT of 64 bit kernels, include/linux/threads.h."""
PID = Unknown("the calling process", least=1, most=MOST_PIDS - 1)
THREAD = Unknown("the calling thread", least=1, most=MOST_PIDS - 1)


@dataclass(eq=False)
class Caller:
    """The process in whose system calls programs run. `comm` is its name, None when nobody gave it one; `pid` its
    number; `tid` that of the thread that makes them, None for the first one's, which is the process's. `doubt` is why
    nobody knows who it is and what it may do.
    """

    uid: int = 0
    gid: int = 0
    comm: bytes | None = None
    pid: Unknown = PID
    tid: Unknown | None = None
    doubt: str = ""

    @property
    def number(self) -> Unknown:
        """Returns the thread's number."""
        return self.tid or self.pid


@dataclass
class Surroundings:
    """The caller, the clock and the trace buffer of one kernel. `readings` are the names of the script's readings of
    the clock, in their order, and `passed` is how many of them were made."""

    environment: Environment
    caller: Caller
    readings: tuple[str, ...] = ()
    passed: int = 0
    trace: list[tuple[Line, Printed]] | None = None
    """The programs and texts printed since the script cleared the trace buffer; None if it did not clear it."""
    trace_doubt: str = ""
    lasting_doubt: str = ""
    """Why nobody knows what is printed from now on, or was printed."""

    def read_clock(self, name: str) -> None:
        """Records that the script has made the reading of this name, unless a thread made it at an unknown time."""
        if name in self.readings:
            self.passed = self.readings.index(name) + 1

    def distrust_trace(self, why: str, *, lasting: bool = False) -> None:
        """Marks the trace buffer as unknown: anything may have been printed, and with `lasting` may be at any time."""
        self.trace_doubt = self.trace_doubt or why
        if lasting:
            self.lasting_doubt = self.lasting_doubt or why

    def clear_trace(self) -> None:
        """Clears the trace buffer: what is printed from now on is the script's, as far as anybody knows."""
        self.trace, self.trace_doubt = [], self.lasting_doubt

    def forget_clock(self, name: str) -> None:
        """Discards the reading of this name, which tells nothing."""
        if name in self.readings[: self.passed]:
            self.passed -= 1
        self.readings = tuple(reading for reading in self.readings if reading != name)

    def now(self) -> Unknown:
        """Returns the monotonic clock: between the script's last reading of it and the next."""
        return Unknown(
            "the time since boot in nanoseconds",
            least=1,
            not_before=self.readings[self.passed - 1] if self.passed else None,
            not_after=self.readings[self.passed] if self.passed < len(self.readings) else None,
        )


def of(environment: Environment) -> Surroundings:
    """Returns the surroundings of a lane that does nothing."""
    return Surroundings(environment, Caller(environment.uid, environment.uid))
