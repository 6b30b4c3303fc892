# SPDX-License-Identifier: MIT
"""The kernels to search among: those of Debian's archive from one version to another, oldest first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hil.arch import Architecture
from hil.errors import UserError
from hil.kernels import catalogue, store
from hil.kernels.catalogue import POINT, Debian
from hil.kernels.points import Point, nearest, order, points

Notify = Callable[[str], None]
Place = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class Span:
    """Kernels, oldest first, and the name that the user gave to the newest."""

    points: tuple[Point, ...]
    newer: str


def between(one: str, other: str, arch: Architecture, notify: Notify = lambda _: None) -> Span:
    """The kernels from `one` to `other`, both among them, whichever is older.

    An end is a kernel of the catalogue (debian-13: the one at hand, or the newest), one of its versions
    (debian-13@6.12.90) or a version alone (6.12.90). Between two of one kernel's versions lie that kernel's only, else
    those of all: of each version and revision one, of the release whose own series it is, if there is a choice. What
    the archive no longer has whole is left out. UserError for an end there is not, with the nearest, and for two that
    are the same.
    """
    rows = _rows(one, other)
    listed = (point for row in rows for point in points(catalogue.entry(row), arch, notify))
    there = [point for point in listed if not point.lacking or store.cached_as(point)]
    ends = {text: _end(text, there, arch) for text in (one, other)}
    older, newer = sorted((one, other), key=lambda text: _place(ends[text]))
    first, last = ends[older], ends[newer]
    if _place(first) == _place(last):
        raise UserError(
            f"{one} and {other} are one kernel, {first.name}/{arch}", remedy="name two between which something changed"
        )
    inner = [point for point in there if _place(first) < _place(point) < _place(last)]
    return Span((first, *_one_a_version(inner), last), newer)


def _rows(*texts: str) -> list[str]:
    """Returns the kernels of the catalogue whose versions are meant."""
    every = [name for name, known in catalogue.entries().items() if isinstance(known.source, Debian)]
    named = {catalogue.kernel_of(text) for text in texts}
    return [*named] if len(named) == 1 and named <= {*every} else every


def _end(text: str, there: Sequence[Point], arch: Architecture) -> Point:
    known = catalogue.find(text)
    if known is not None and not known.version:
        own = [point for point in there if point.kernel == text and _native(point)]
        at_hand = [point for point in own if store.cached_as(point) == text]
        found = at_hand or own
    else:
        kernel, _, version = text.rpartition(POINT)
        found = [point for point in there if version in point.spellings and kernel in ("", point.kernel)]
        found.sort(key=_native)
    if found:
        return found[-1]
    if not there or not text.rpartition(POINT)[2][:1].isdigit():
        raise UserError(
            f"{text!r} is no kernel with versions for {arch}",
            remedy="write a version, 6.12.90, or debian-13@6.12.90; hil kernels list --all has them",
        )
    near = nearest(text.rpartition(POINT)[2], {point.image.version: point.name for point in there})
    raise UserError(
        f"Debian's archive has no Linux {text} for {arch}",
        remedy=f"{near}; hil kernels list --all lists every one there is",
    )


def _one_a_version(inner: Iterable[Point]) -> list[Point]:
    chosen: dict[Place, Point] = {}
    for point in inner:
        held = chosen.get(_place(point))
        if held is None or _native(point) >= _native(held):
            chosen[_place(point)] = point
    return [chosen[place] for place in sorted(chosen)]


def _place(point: Point) -> Place:
    """Returns the upstream version and Debian's revision, whatever release it was built for."""
    return order(point.image.version)[:2]


def _native(point: Point) -> bool:
    """Returns whether it is of the series that its release came with, and not from its backports."""
    known = catalogue.entry(point.kernel)
    series = catalogue.numbers(known.series) if known.series else ()
    return _place(point)[0][: len(series)] == series
