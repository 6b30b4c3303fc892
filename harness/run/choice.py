"""What a run is for: lanes, and scripts by patterns of their names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Generic, TypeVar

from harness.lane import Lane, listed
from hil.errors import UserError

Place = tuple[str, str]
"""A kernel and an architecture."""
_T = TypeVar("_T")


@dataclass(frozen=True)
class Choice(Generic[_T]):
    """What was chosen of each kernel and architecture, and the lanes that have any of it; `without` have none."""

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
            raise UserError(
                f"no {noun} of the chosen lanes matches {pattern!r}",
                remedy=f"see --list; choose from: {', '.join(names(known))}",
            )
    of = {
        place: tuple(one for name, one in named.items() if any(fnmatchcase(name, pattern) for pattern in wanted))
        for place, named in everything.items()
    }
    served = tuple(lane for lane in lanes if of[lane.kernel, lane.arch])
    return Choice(of, served, tuple(lane for lane in lanes if lane not in served))
