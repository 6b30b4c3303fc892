# SPDX-License-Identifier: MIT
"""Operations about what surrounds a script in the kernel: settings below /proc/sys, the clock, the trace buffer, and
what the kernel tells of a probe."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadSetting:
    """The number in a file below /proc/sys, `kernel/perf_event_paranoid` for one."""

    path: str


@dataclass(frozen=True)
class SetSetting:
    """Writes a number there. What it was before is put back at the end of the script, or of the child that did it."""

    path: str
    value: int


@dataclass(frozen=True)
class ReadClock:
    """clock_gettime(CLOCK_MONOTONIC): nanoseconds, which what the kernel says of the time before and after is held
    against. Every reading of a script has a name of its own."""

    name: str


@dataclass(frozen=True)
class ClearTrace:
    """Opens tracefs' `trace` with O_TRUNC, so that what it holds later is this script's."""


@dataclass(frozen=True)
class ReadTrace:
    """What programs have printed since: a `Line` for each text as records, the texts one behind the other as log."""


SurroundingsOperation = ReadSetting | SetSetting | ReadClock | ClearTrace | ReadTrace
