# SPDX-License-Identifier: MIT
"""What a shell offers where lanes, scripts, clauses and runs are named."""

from __future__ import annotations

from collections.abc import Iterable

from harness.core_scripts import core_scripts
from harness.lane import Engine
from harness.run.choice import known_lanes
from hil.arch import architectures
from hil.completing import list_of, one_of
from hil.kernels import catalogue, store
from hil.kernels.parameters import kernel_names

_RUNS = 30
"""The newest runs that are offered."""


def lane_names() -> Iterable[str]:
    """Every lane of these kernels."""
    points = (f"{name}/{arch}/{engine}" for name, arch in store.points() for engine in Engine)
    return (*map(str, known_lanes()), *points)


def lane_patterns() -> Iterable[str]:
    """Kernels alone, kernels with an architecture, and lanes."""
    lanes = list(lane_names())
    return (*kernel_names(), *(lane.rpartition("/")[0] for lane in lanes), *lanes)


def script_names() -> Iterable[str]:
    """The core scripts, which every architecture and era has."""
    return (script.name for script in core_scripts(next(iter(architectures())), catalogue.eras()[-1]))


def clause_names() -> Iterable[str]:
    """The clauses: those of every era on one architecture, and what others have beside them in the newest."""
    from harness.clauses import clauses  # a great many modules, which every command would import

    first, *others = architectures()
    places = [*((first, era) for era in catalogue.eras()), *((arch, catalogue.eras()[-1]) for arch in others)]
    return dict.fromkeys(clause.id for place in places for clause in clauses(*place))


def all_names() -> Iterable[str]:
    """Scripts and clauses."""
    return (*script_names(), *clause_names())


def run_names() -> Iterable[str]:
    """The newest runs of the history."""
    from harness.history.store import History

    return ("latest", *(str(entry.id) for entry in History().entries(_RUNS)))


lanes, lane, kernel = list_of(lane_patterns), one_of(lane_patterns), one_of(kernel_names)
scripts, clause_or_script, clause_patterns = list_of(script_names), one_of(all_names), list_of(clause_names)
script, run = one_of(script_names), one_of(run_names)
