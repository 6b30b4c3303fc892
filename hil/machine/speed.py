# SPDX-License-Identifier: MIT
"""How fast this host is, so that deadlines can be given in nominal seconds and mean the same everywhere."""

from __future__ import annotations

import math
import os
import time
from functools import cache

from hil.errors import UserError

# What `_work` takes on the host that the deadlines were chosen on: one core of a 2.8 GHz Xeon, CPython 3.11.
_NOMINAL_SECONDS = 0.0085

MOST_LOAD = 4.0
"""The most that the load average counts for. It is no measure of our share: what waits for a disk counts, too, and a
host with a hundred waiting programs still gives us more than a hundredth. A deadline that grew with it would hang."""


def scale() -> float:
    """Real seconds a nominal second, at least 1. HIL_TIME_SCALE, a positive number, overrides the measurement.

    Nominal seconds are those of a guest under TCG; KVM only makes it faster, and deadlines may be generous.
    """
    if (given := override()) is not None:
        return given
    # The load changes while we run, the host does not.
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    return max(1.0, _slowness()) * min(max(1.0, load), MOST_LOAD)


def override() -> float | None:
    """What HIL_TIME_SCALE says, None when it is not set; UserError when it is no positive number."""
    text = os.environ.get("HIL_TIME_SCALE", "")
    return _positive(text) if text else None


@cache
def _slowness() -> float:
    return min(_work() for _ in range(3)) / _NOMINAL_SECONDS


def _work() -> float:
    """Seconds for a fixed amount of interpreted arithmetic: integers and branches, as in translating a guest."""
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
