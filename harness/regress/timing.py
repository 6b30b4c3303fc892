# SPDX-License-Identifier: MIT
"""Detection of scripts that became slower, as opposed to a slower host.

Two runs are rarely made on an equally busy host, and a script's time is some milliseconds. So times are compared as
ratios within a lane: of each script, the time after (the median, of one that was repeated) over that before. The median
of those ratios is how much the lane as a whole changed, which is mostly the host; their median absolute deviation (MAD)
is the noise. Both hardly notice a few scripts that really changed (Rousseeuw and Croux, 1993). A script is slower when
it is so by more than the lane is, than `SPREADS` times the noise, than `FACTOR`, and by more than `SECONDS` of time.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from harness.regress.change import Change, Kind
from harness.regress.side import Side

SPREADS = 5.0
FACTOR = 1.5
SECONDS = 0.05
"""The time below which lies what a system call costs under a busy host's scheduler."""
FEWEST = 8
"""The number of scripts of a lane that are needed to estimate its noise."""
_NORMAL = 1.4826  # MAD times this estimates the standard deviation of a normal distribution


def slower(before: Side, after: Side) -> tuple[Change, ...]:
    """Returns every script that is slower by more than the noise."""
    return tuple(change for lane in after.lanes for change in _lane(lane, before, after))


def _lane(lane: str, before: Side, after: Side) -> Iterator[Change]:
    pairs = {
        script: (old, new)
        for (where, script), result in after.seen.items()
        if where == lane and (lane, script) in before.seen
        if (old := before.seen[lane, script].seconds) and (new := result.seconds)  # 0 is of what did not run
    }
    if len(pairs) < FEWEST:
        return
    ratios = {script: math.log(new / old) for script, (old, new) in pairs.items()}
    centre = statistics.median(ratios.values())
    noise = _NORMAL * statistics.median(abs(ratio - centre) for ratio in ratios.values())
    limit = max(SPREADS * noise, math.log(FACTOR))
    lane_factor = math.exp(centre)
    for script, (old, new) in pairs.items():
        if ratios[script] - centre > limit and new - old * lane_factor > SECONDS:
            lane_said = f"the lane as a whole x{lane_factor:.1f}, noise up to x{math.exp(limit):.1f}"
            said = f"{new:.3f} s, x{new / old:.1f} ({lane_said})"
            yield Change(Kind.SLOWER, lane, script, f"{old:.3f} s", said)
