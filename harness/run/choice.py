# SPDX-License-Identifier: MIT
"""The choice of a run's lanes and scripts by patterns of their names, and the known lanes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Generic, TypeVar

from harness.lane import Lane, all_lanes, listed
from harness.run import points
from hil.errors import UserError
from hil.kernels import store
from hil.nearest import meant

Place = tuple[str, str]
"""A kernel and an architecture."""
_T = TypeVar("_T")


def known_lanes(patterns: Iterable[str] = ()) -> tuple[Lane, ...]:
    """Returns every lane of the catalogue, and of the kernels that the user imported; and those lanes of point releases
    that patterns ask for by a version, which no others match."""
    return (*all_lanes((name, arch.name) for name, arch in store.names()), *points.asked_for(patterns))


@dataclass(frozen=True)
class Choice(Generic[_T]):
    """The chosen scripts of each kernel and architecture, and the lanes that have any; `without` have none."""

    of: Mapping[Place, tuple[_T, ...]]
    lanes: tuple[Lane, ...]
    without: tuple[Lane, ...]


def choose(
    lanes: Sequence[Lane],
    there: Callable[[str, str], Mapping[str, _T]],
    patterns: str,
    noun: str,
    names: Callable[[Iterable[str]], Iterable[str]],
) -> Choice[_T]:
    """What of that which is `there`, by name, for a kernel and an architecture matches any of the patterns, which are
    separated by commas.

    What a release lacks, others may have, so that a pattern must match on one lane only; UserError, which says what
    there is as `names` puts it, when it matches on none.
    """
    everything = {(lane.kernel, lane.arch): there(lane.kernel, lane.arch) for lane in lanes}
    known = list(dict.fromkeys(name for named in everything.values() for name in named))
    wanted = listed(patterns)
    for pattern in wanted:
        if not any(fnmatchcase(name, pattern) for name in known):
            there_is = ", ".join(names(known))
            raise UserError(
                f"no {noun} of the chosen lanes matches {pattern!r}",
                remedy=f"see --list; {meant(pattern, known) or f'choose from: {there_is}'}",
            )
    of = {
        place: tuple(one for name, one in named.items() if any(fnmatchcase(name, pattern) for pattern in wanted))
        for place, named in everything.items()
    }
    served = tuple(lane for lane in lanes if of[lane.kernel, lane.arch])
    return Choice(of, served, tuple(lane for lane in lanes if lane not in served))


def check_chosen(require: Sequence[str], chosen: Choice[Any]) -> None:
    """UserError for a required kernel that has no lane in this run, or nothing to run on one of its lanes."""
    for lane in chosen.without:
        if lane.kernel in require:
            raise UserError(f"--require {lane.kernel}: none of the chosen scripts is for {lane}", remedy="choose more")
    for kernel in require:
        if kernel not in {lane.kernel for lane in chosen.lanes}:
            raise UserError(f"--require {kernel}: no lane of it was chosen", remedy="add it to --lanes")
