# SPDX-License-Identifier: MIT
"""Binary search for the first element that differs from those before it, where some elements cannot be compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """The result: `first` is the first known to differ from the beginning, `suspects` those before it that could not be
    compared, each of which may be it as well."""

    first: int
    suspects: tuple[int, ...]


def most_asked(count: int) -> int:
    """Returns how many of `count` are asked at most, both ends included, if all can be compared."""
    return 2 + (count - 2).bit_length()


def first_other(count: int, ask: Callable[[int], bool | None]) -> Found:
    """Returns the first of `count` elements, at least two, that differs from number 0; the last one is known to differ.

    `ask` returns whether one is like number 0; None when that cannot be found out. It is asked about neither end and
    about none twice, always about the middle of those that may be asked, so that it takes no more than `most_asked`,
    ends included, and one more for each that cannot be compared. As with git-bisect(1), where there are several
    changes, one of them is found.
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
