"""Where the time went, as marks on an axis; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.run.results import RunReport


@dataclass(frozen=True)
class Mark:
    """A script on the logarithmic axis; `at` in per cent of its width."""

    script: str
    seconds: float
    at: float


@dataclass(frozen=True)
class LaneTimes:
    """A lane: seconds its machine took to boot (of the last one, if several had to), seconds of all its scripts, both
    also in per cent of the longest lane, and each script."""

    lane: str
    boot: float
    scripts: float
    boot_width: float
    scripts_width: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Timings:
    """Everything the plot needs; `ticks` are seconds and their places."""

    lanes: tuple[LaneTimes, ...]
    ticks: tuple[tuple[str, float], ...]


def timings(report: RunReport) -> Timings:
    """Of every lane that ran anything."""
    boots = {f"{machine.kernel}/{machine.arch}": machine.boot_seconds or 0.0 for machine in report.machines}
    spent = {
        lane: [(result.script, result.seconds) for result in report.results if result.lane == lane and result.seconds]
        for lane in report.lanes
    }
    spent = {lane: scripts for lane, scripts in spent.items() if scripts}
    everything = [seconds for scripts in spent.values() for _, seconds in scripts]
    if not everything:
        return Timings((), ())
    totals = {
        lane: (boots.get(lane.rpartition("/")[0], 0.0), sum(seconds for _, seconds in scripts))
        for lane, scripts in spent.items()
    }
    longest = max(boot + scripts for boot, scripts in totals.values())
    axis = _axis(everything)
    return Timings(
        tuple(
            LaneTimes(
                lane,
                boot,
                scripts,
                100 * boot / longest,
                100 * scripts / longest,
                tuple(Mark(script, seconds, _place(seconds, axis)) for script, seconds in spent[lane]),
            )
            for lane, (boot, scripts) in totals.items()
        ),
        tuple((_label(10.0**power), _place(10.0**power, axis)) for power in axis),
    )


def _axis(seconds: Sequence[float]) -> range:
    """Powers of ten from below the shortest to above the longest."""
    return range(math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)) + 1e-9) + 1)


def _place(seconds: float, axis: range) -> float:
    return 100 * (math.log10(seconds) - axis[0]) / (axis[-1] - axis[0])


def _label(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
