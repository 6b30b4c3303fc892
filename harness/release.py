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
"""Releases that every clause and every rule was held against in running kernels."""
READ: tuple[Release, ...] = ((6, 6),)
"""Releases of whose sources every rule was read that differs between their neighbours; no kernel of them was run."""
CHECKED: tuple[Release, ...] = tuple(sorted((*RUN, *READ)))
"""Both, oldest first."""


@cache
def release(name: str) -> Release:
    """A release by its name, "6.1" for one; UserError for what is none."""
    numbers = name.split(".")
    if len(numbers) != 2 or not all(number.isdecimal() for number in numbers):
        raise UserError(f"{name!r} is no release of Linux", remedy="write MAJOR.MINOR, 6.1 for one")
    return int(numbers[0]), int(numbers[1])


def dotted(one: Release) -> str:
    """A release as people write it."""
    return ".".join(map(str, one))


def neighbours(one: Release) -> tuple[Release, ...]:
    """The releases nearest to `one` that were checked: itself alone, or the one before and the one behind it, as far as
    there are such."""
    if one in CHECKED:
        return (one,)
    before, behind = (known for known in CHECKED if known < one), (known for known in CHECKED if known > one)
    return max(before, default=one), min(behind, default=one)


def newest(table: Mapping[Release, T], one: Release) -> T | None:
    """Of a table keyed by releases in which something changed, the row that holds in `one`; None before the first."""
    return table[max(known)] if (known := [since for since in table if since <= one]) else None
