# SPDX-License-Identifier: MIT
"""Where the time of a conformance run goes: every clause on all lanes of a kernel, by phases."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.benchmarks.ratio import seconds
from harness.clauses import clauses
from harness.jobs.artifacts import EVERYTHING
from harness.lane import Lane, all_lanes
from harness.run import matrix
from harness.run.phase_timing import PhaseTime
from harness.run.plan import Share, shares
from harness.run.results import RunReport, ScriptResult
from harness.script.operations import Script
from hil.arch import architecture, architectures_with
from hil.kernels import store


class Progress:
    """Passes on the progress of machines."""

    def __init__(self, notify: Callable[[str], None]) -> None:
        self._notify = notify

    def state(self, share: Share, text: str) -> None:
        self._notify(f"{share.name}: {text}")

    def done(self, lane: Lane, result: ScriptResult) -> None:
        pass


def conformance(kernel: str, folder: Path, notify: Callable[[str], None]) -> tuple[RunReport, float]:
    """Returns the run, and the seconds it took to its end, reports and history included."""
    os.environ["HIL_HISTORY"] = str(folder / "history.sqlite")  # a measurement is no run to compare others with

    def scripts(name: str, arch: str) -> tuple[Script, ...]:
        era = store.era(name, architecture(arch))
        return tuple(clause.script(era) for clause in clauses(arch, era))

    lanes = all_lanes((kernel, arch.name) for arch in architectures_with(kernel))
    plan, reports = shares(lanes, scripts), list[RunReport]()
    made, watch = matrix.make_folder(folder), Progress(notify)
    took = seconds(lambda: reports.append(matrix.run(plan, made, watch, artifacts=EVERYTHING)))
    return reports[0], took


def phases(report: RunReport, took: float) -> tuple[PhaseTime, ...]:
    """Returns the time of each phase in all places, the longest first; `reports` is the time after the last verdict."""
    found: dict[str, tuple[float, int]] = {}
    for one in (*report.spent, PhaseTime("", "reports", max(took - report.seconds, 0.0), 1)):
        so_far = found.get(one.phase, (0.0, 0))
        found[one.phase] = so_far[0] + one.seconds, so_far[1] + one.times
    everything = [PhaseTime("", phase, *sums) for phase, sums in found.items()]
    return tuple(sorted(everything, key=lambda one: one.seconds, reverse=True))


def table(report: RunReport, took: float) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Returns headings, and a row for each phase: its share of the time of all threads, its count, and seconds by
    place."""
    places = tuple(dict.fromkeys(one.place for one in report.spent))
    by_place = {(one.place, one.phase): one.seconds for one in report.spent}
    rows = []
    for one, share in shared(phases(report, took)):
        cells = [f"{by_place[place, one.phase]:.1f}" if (place, one.phase) in by_place else "" for place in places]
        rows.append((one.phase, f"{share:.0%}", f"{one.seconds:.1f}", str(one.times), *cells))
    return ("phase", "share", "seconds", "times", *places), rows


def shared(spent: Sequence[PhaseTime]) -> tuple[tuple[PhaseTime, float], ...]:
    """Returns each phase with its share, from 0 to 1, of all the seconds."""
    total = sum(one.seconds for one in spent)
    return tuple((one, one.seconds / total if total else 0.0) for one in spent)
