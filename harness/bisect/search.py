# SPDX-License-Identifier: MIT
"""Binary search for the first of a row that is not as those before it, where some cannot be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """`first` is the first known not to be as the row begins, `suspects` those before it that could not be told, each
    of which may be it as well."""

    first: int
    suspects: tuple[int, ...]


def most_asked(count: int) -> int:
    """How many of `count` are asked at most, both ends among them, if all can be told."""
    return 2 + (count - 2).bit_length()


def first_other(count: int, ask: Callable[[int], bool | None]) -> Found:
    """The first of `count` in a row, at least two, that is not as number 0 is; the last one is known not to be.

    `ask` says whether one is; None when that cannot be told. It is asked about no end and none twice, always about
    the middle of those that may be asked, so that it takes no more than `most_asked`, ends and all, and one more for
    each that cannot be told. As with git-bisect(1), where the row turns more than once, one of the turns is found.
    """
    low, high = 0, count - 1
    untold: set[int] = set()
    while left := [number for number in range(low + 1, high) if number not in untold]:
        middle = left[len(left) // 2]
        match ask(middle):
            case None:
                untold.add(middle)
            case True:
                low = middle
            case False:
                high = middle
    return Found(high, tuple(range(low + 1, high)))
