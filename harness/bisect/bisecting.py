# SPDX-License-Identifier: MIT
"""The search itself: the kernels that are asked, and the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from harness.bisect.answers import Answer
from harness.bisect.behaviour import Contrast, contrast
from harness.bisect.search import first_other
from hil.errors import BenchError
from hil.kernels.points import Point

Ask = Callable[[Point], tuple[Answer, int]]
"""Gives the answer of a kernel, and how often it was booted for that."""


class By(StrEnum):
    """The criterion by which behaviours differ."""

    OUTCOME = "outcome"
    VERDICT = "verdict"


@dataclass(frozen=True)
class Asked:
    """One kernel that was asked. `same` says whether it behaves as the older end does, None where it was skipped;
    `contrast` is the difference where it does not."""

    point: Point
    answer: Answer
    boots: int
    same: bool | None = None
    contrast: Contrast | None = None


@dataclass(frozen=True)
class Result:
    """The result of a search. `asked` are the kernels that were asked, in that order, both ends first. `first` is the
    first known to behave differently from the older end, None when both ends behave alike; `suspects`, older than it,
    were skipped and may be it as well.
    """

    points: tuple[Point, ...]
    asked: tuple[Asked, ...]
    first: Point | None
    suspects: tuple[Point, ...] = ()

    @property
    def boots(self) -> int:
        """Returns how often a kernel was booted."""
        return sum(one.boots for one in self.asked)

    @property
    def ranked(self) -> Iterator[Asked]:
        """Yields the kernels that were asked, oldest first."""
        return (one for point in self.points for one in self.asked if one.point == point)


class EndSkipped(BenchError):
    """One of the two ends of the search had to be skipped."""


def bisect(
    points: Sequence[Point], ask: Ask, by: By, notify: Callable[[Asked], None] = lambda _: None
) -> Result:  # fmt: skip
    """Searches `points`, oldest first and at least two; `notify` gets each that was asked. Raises EndSkipped when an
    end cannot be asked."""
    asked: list[Asked] = []

    def same(number: int) -> bool | None:
        answer, boots = ask(points[number])
        one = Asked(points[number], answer, boots)
        if answer.behaviour is not None:
            one = _held_against(asked[0].answer if asked else answer, one, by)
        asked.append(one)
        notify(one)
        return one.same

    for end in (0, len(points) - 1):
        if same(end) is None:
            raise EndSkipped(
                f"{points[end].name} cannot be asked: {asked[-1].answer.skipped}", remedy="name another end"
            )
    if asked[-1].same:
        return Result(tuple(points), tuple(asked), None)
    found = first_other(len(points), same)
    return Result(
        tuple(points), tuple(asked), points[found.first], tuple(points[number] for number in found.suspects)
    )  # fmt: skip


def _held_against(reference: Answer, one: Asked, by: By) -> Asked:
    answer = one.answer
    assert reference.behaviour is not None and answer.behaviour is not None
    found = contrast(reference.behaviour, answer.behaviour)
    if by is By.VERDICT:
        unlike = reference.verdict != answer.verdict
        found = Contrast(None, reference.verdict, answer.verdict) if unlike else None
    return replace(one, same=found is None, contrast=found)
