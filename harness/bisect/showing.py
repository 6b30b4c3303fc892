# SPDX-License-Identifier: MIT
"""The result of a search as a table, as sentences, and as data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.bisect.bisecting import Asked, Result
from harness.counting import counted
from harness.script.brief import brief
from hil.kernels.points import Point

HEADINGS = ("kernel", "version", "behaves", "what it gave", "asked")


def rows(result: Result, newer: str) -> Iterator[tuple[str, ...]]:
    """Yields a row for each kernel that was asked, oldest first; `newer` is the label of those that behave
    differently."""
    older = "bad" if newer == "good" else "good"
    last = next((one for one in result.asked if one.point == result.points[-1]), None)
    for one in result.ranked:
        label = "skipped" if one.same is None else older if one.same else newer
        like = last is None or one.same or one.contrast is None or one.contrast == last.contrast
        yield (
            one.point.name,
            one.point.image.version,
            "alike" if result.first is None else label if like else f"{label} (a third way)",
            _gave(one, result),
            _asked(one),
        )


def _asked(one: Asked) -> str:
    if one.boots:
        return "booted" if one.boots == 1 else f"booted {one.boots} times"
    return "kept" if one.answer.behaviour else "not booted"


def describe(one: Asked) -> str:
    """Describes the kernel that was just asked, on a line."""
    if one.same is None:
        return f"{one.point.name}: skipped: {one.answer.skipped}"
    if one.contrast is None:
        return f"{one.point.name}: behaves like the older end"
    return f"{one.point.name}: behaves differently: {_at(one.contrast.operation)}{brief(one.contrast.after)}"


def _gave(one: Asked, result: Result) -> str:
    """Returns the answer where it differs, and for kernels at the older end what was there instead."""
    if one.same is None:
        return one.answer.skipped
    if one.contrast is not None:
        return f"{_at(one.contrast.operation)}{brief(one.contrast.after)}"
    other = next((two.contrast for two in result.asked if two.contrast), None)
    return f"{_at(other.operation)}{brief(other.before)}" if other else one.answer.verdict


def _at(operation: int | None) -> str:
    return "" if operation is None else f"operation {operation}: "


def sentences(result: Result, newer: str) -> Iterator[str]:
    """Yields the result as sentences."""
    older, newest = result.points[0], result.points[-1]
    if result.first is None:
        yield f"{older.name} and {newest.name} behave alike: there is nothing to search for"
        return
    before = next(one.point for one in reversed([*result.ranked]) if one.same)
    if result.suspects:
        names = ", ".join(point.name for point in (*result.suspects, result.first))
        yield f"the first {newer} release is one of {names}: those before {result.first.name} had to be skipped"
    else:
        yield f"the first {newer} release is {result.first.name} ({_whole(result.first)}), after {before.name}"
    if said := next((one.contrast for one in result.asked if one.point == result.first), None):
        yield f"{_at(said.operation)}{brief(said.before)} before, {brief(said.after)} since"
    kernels = counted(len(result.points), "kernel")
    yield f"{counted(result.boots, 'boot')} for {kernels} from {older.name} to {newest.name}"


def _whole(point: Point) -> str:
    return f"{point.image.name} {point.image.version}"


def as_data(result: Result, newer: str) -> dict[str, Any]:
    """Returns the result as plain data."""
    return {
        "first": result.first and result.first.name,
        "which": newer,
        "suspects": [point.name for point in result.suspects],
        "kernels": [point.name for point in result.points],
        "boots": result.boots,
        "asked": [dict(zip(HEADINGS, row, strict=True)) for row in rows(result, newer)],
        "sentences": [*sentences(result, newer)],
    }
