# SPDX-License-Identifier: MIT
"""Releases of Linux, by which rules and tables are keyed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from hil.errors import UserError

Release = tuple[int, int]
T = TypeVar("T")

RUN: tuple[Release, ...] = ((4, 1), (5, 10), (6, 1), (6, 12), (7, 2))
"""The releases for which every clause and every rule was compared with running kernels."""
READ: tuple[Release, ...] = ((6, 6),)
"""The releases for which every rule that differs between their neighbours was read in their sources; no kernel of them
was run."""
CHECKED: tuple[Release, ...] = tuple(sorted((*RUN, *READ)))
"""Both, oldest first."""


@cache
def release(name: str) -> Release:
    """Returns a release by its name, for example "6.1"; raises UserError for an invalid name."""
    numbers = name.split(".")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise UserError(f"{name!r} is no release of Linux", remedy="write MAJOR.MINOR, 6.1 for one")
    return int(numbers[0]), int(numbers[1])


@cache
def point(name: str) -> tuple[Release, int]:
    """Returns the release and the sublevel of a stable release, "6.1.176" for one; sublevel -1 for a release as a
    whole, "6.1". Raises UserError for what is neither."""
    series, _, sublevel = name.rpartition(".")
    if "." not in series:
        return release(name), -1
    if not sublevel.isdecimal():
        raise UserError(f"{name!r} is no release of Linux", remedy="write MAJOR.MINOR or MAJOR.MINOR.SUBLEVEL")
    return release(series), int(sublevel)


def dotted(one: Release) -> str:
    """Returns a release as people write it."""
    return ".".join(map(str, one))


def neighbours(one: Release) -> tuple[Release, ...]:
    """Returns the releases nearest to `one` that were checked: only itself, or the one before and the one after it, as
    far as they exist."""
    if one in CHECKED:
        return (one,)
    before, behind = (known for known in CHECKED if known < one), (known for known in CHECKED if known > one)
    return max(before, default=one), min(behind, default=one)


def newest(table: Mapping[Release, T], one: Release) -> T | None:
    """Returns, from a table keyed by releases in which something changed, the row that holds in `one`; None before the
    first."""
    return table[max(known)] if (known := [since for since in table if since <= one]) else None
