# SPDX-License-Identifier: MIT
"""The speed of this host, so that deadlines can be given in nominal seconds and mean the same on every host."""

from __future__ import annotations

import math
import os
import time
from functools import cache

from hil.errors import UserError

# The duration of `_work` on the host that the deadlines were chosen on: one core of a 2.8 GHz Xeon, CPython 3.11.
_NOMINAL_SECONDS = 0.0085

MOST_LOAD = 4.0
"""The greatest factor by which the load average lengthens deadlines. The load average also counts programs that wait
for a disk, so it overestimates how much slower a guest runs, and without a limit a deadline would hardly ever pass."""


def scale() -> float:
    """The real seconds per nominal second, at least 1. HIL_TIME_SCALE, a positive number, overrides the measurement.

    Nominal seconds are for a guest under TCG; one under KVM is faster, and deadlines may be generous.
    """
    if (given := override()) is not None:
        return given
    # The load changes while we run, the host does not.
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return max(1.0, slowness()) * min(max(1.0, load), MOST_LOAD)


def override() -> float | None:
    """The value of HIL_TIME_SCALE, None when it is not set; raises UserError when it is not a positive number."""
    text = os.environ.get("HIL_TIME_SCALE", "")
    return _positive(text) if text else None


@cache
def slowness() -> float:
    """The factor by which this host takes longer than the one that the deadlines were chosen on, whatever its load."""
    return min(_work() for _ in range(3)) / _NOMINAL_SECONDS


def _work() -> float:
    """The seconds that a fixed amount of interpreted integer arithmetic takes."""
    start = time.perf_counter()
    value = 1
    for _ in range(100_000):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
    return time.perf_counter() - start


def _positive(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise UserError(f"HIL_TIME_SCALE={text!r} is not a positive number", remedy="unset it or set it to e.g. 2.5")
    return number
