# SPDX-License-Identifier: MIT
"""The times of a run, as marks on an axis; the template draws them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from harness.run.results import RunReport


@dataclass(frozen=True)
class Mark:
    """A script on the logarithmic axis; `at` in per cent of its width."""

    script: str
    seconds: float
    at: float


@dataclass(frozen=True)
class LaneTimes:
    """Each script of a lane, and the seconds of all of them."""

    lane: str
    scripts: float
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Part:
    """A part of a machine's time: its boots, or the scripts of one of its lanes; `at` and `width` in per cent of the
    longest machine's time."""

    name: str
    seconds: float
    at: float
    width: float


@dataclass(frozen=True)
class MachineTimes:
    """The times of the machines of one kernel and architecture, one after the other."""

    machine: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Timings:
    """Everything the plots need; `ticks` are seconds and their places."""

    machines: tuple[MachineTimes, ...]
    lanes: tuple[LaneTimes, ...]
    ticks: tuple[tuple[str, float], ...]


BOOT = "boot"


def timings(report: RunReport) -> Timings:
    """Returns the times of every lane that ran anything."""
    spent = {
        lane: [(result.script, result.seconds) for result in report.results if result.lane == lane and result.seconds]
        for lane in report.lanes
    }
    spent = {lane: scripts for lane, scripts in spent.items() if scripts}
    everything = [seconds for scripts in spent.values() for _, seconds in scripts]
    if not everything:
        return Timings((), (), ())
    totals = {lane: sum(seconds for _, seconds in scripts) for lane, scripts in spent.items()}
    axis = _axis(everything)
    return Timings(
        tuple(_machines(report, totals)),
        tuple(
            LaneTimes(
                lane, totals[lane], tuple(Mark(script, seconds, _place(seconds, axis)) for script, seconds in scripts)
            )
            for lane, scripts in spent.items()
        ),
        tuple((_label(10.0**power), _place(10.0**power, axis)) for power in axis),
    )


def _machines(report: RunReport, totals: Mapping[str, float]) -> Iterator[MachineTimes]:
    """Both engines of a kernel share a machine; one that was lost is followed by another, which boots, too."""
    parts: dict[str, list[tuple[str, float]]] = {}
    for lane, seconds in totals.items():
        machine, _, engine = lane.rpartition("/")
        if machine not in parts:
            boots = [one.boot_seconds or 0.0 for one in report.machines if f"{one.kernel}/{one.arch}" == machine]
            parts[machine] = [(BOOT, sum(boots))]
        parts[machine].append((engine, seconds))
    longest = max(sum(seconds for _, seconds in of) for of in parts.values())
    for machine, of in parts.items():
        ends = list(accumulate(seconds for _, seconds in of))
        yield MachineTimes(
            machine,
            tuple(
                Part(name, seconds, 100 * (end - seconds) / longest, 100 * seconds / longest)
                for (name, seconds), end in zip(of, ends, strict=True)
            ),
        )


def _axis(seconds: Sequence[float]) -> range:
    """Powers of ten from below the shortest to above the longest."""
    return range(math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)) + 1e-9) + 1)


def _place(seconds: float, axis: range) -> float:
    return 100 * (math.log10(seconds) - axis[0]) / (axis[-1] - axis[0])


def _label(seconds: float) -> str:
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"
