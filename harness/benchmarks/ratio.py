# SPDX-License-Identifier: MIT
"""Measured ratios: two quantities in turn, pair by pair, so that a host that changes its speed changes both."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ratio:
    """`measured` over `baseline`, pair by pair, both in `unit`; `goal` is what the median should keep to."""

    name: str
    unit: str
    measured: tuple[float, ...]
    baseline: tuple[float, ...]
    goal: str

    @property
    def pairs(self) -> tuple[float, ...]:
        return tuple(a / b for a, b in zip(self.measured, self.baseline, strict=True))

    @property
    def median(self) -> float:
        return statistics.median(self.pairs)


def seconds(action: Callable[[], object]) -> float:
    """Returns how long `action` took, in seconds of the host's clock."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def cpu_seconds(pid: int) -> float:
    """Returns the seconds of CPU that a process has taken, proc(5)'s utime and stime."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[_UTIME]) + int(fields[_STIME])) / os.sysconf("SC_CLK_TCK")


_UTIME, _STIME = 11, 12
"""Where they are behind the process's name."""
