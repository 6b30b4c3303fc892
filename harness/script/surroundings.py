# SPDX-License-Identifier: MIT
"""Operations on a script's surroundings in the kernel: settings below /proc/sys, the clock, the trace buffer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ReadSetting:
    """Reads the number in a file below /proc/sys, for example `kernel/perf_event_paranoid`."""

    path: str


@dataclass(frozen=True)
class SetSetting:
    """Writes a number there. The earlier value is restored at the end of the script, or of the child that wrote it."""

    path: str
    value: int


@dataclass(frozen=True)
class ReadClock:
    """clock_gettime(CLOCK_MONOTONIC), in nanoseconds, with which the kernel's times before and after are compared.
    Every reading of a script has a name of its own."""

    name: str


@dataclass(frozen=True)
class ClearTrace:
    """Opens tracefs' `trace` with O_TRUNC, so that what it holds later is this script's."""


@dataclass(frozen=True)
class ReadTrace:
    """Reads what programs have printed since: a `Line` for each text as records, and the concatenated texts as log."""


SurroundingsOperation = ReadSetting | SetSetting | ReadClock | ClearTrace | ReadTrace
