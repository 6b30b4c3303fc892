# SPDX-License-Identifier: MIT
"""A smaller script that shows the same, by delta debugging: ever smaller pieces are left out, as long as any can be.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002). A guest answers many scripts in one
exchange, so all pieces of one size are tried at once; of those that can be left out alone, as many as go together are.
In between, numbers take the place of what computed them, so that it can be left out, and what is stored in a map is
told by a filter's verdict (`harness.fuzz.finding.rewriting`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice
from typing import TypeVar

from harness.fuzz.finding.cutting import Place, instructions, operations, simpler, without
from harness.fuzz.finding.rewriting import (
    Edits,
    as_filters,
    from_the_stack,
    numbers,
    with_edits,
    with_guesses,
    with_small_constants,
    with_verdicts,
    without_copies,
    without_functions,
)
from harness.fuzz.finding.values import Values
from harness.script.operations import Script

T = TypeVar("T")
Judge = Callable[[Sequence[Script]], Sequence[bool]]
"""Says of each script whether it still shows what was found."""
Way = Callable[[Script], Iterable[Script]]
"""Yields scripts that may show the same."""
AT_ONCE = 64
"""Of scripts of which one is enough, so many are tried in one exchange."""
ROUNDS = 6
"""How often everything is tried again after something was left out or replaced."""


def shrink(
    script: Script, same: Judge, values: Callable[[Script], Values] = lambda _: {}, verdicts: bool = False
) -> Script:
    """Returns the smallest script that was found of which `same` holds, as it must of `script`. `values` gives what the
    instructions of a script's program computed, and `verdicts` is whether a filter's verdict may show it."""

    def from_memory(script: Script) -> Iterable[Script]:
        return from_the_stack(script, values(script))

    once: list[Way] = [as_filters, *([with_verdicts] if verdicts else [])]
    often: tuple[Way, ...] = (from_memory, with_guesses, with_small_constants, without_copies, simpler)
    for _ in range(ROUNDS):
        before = script
        script = _less(script, operations, same)
        script = _while(without_functions, script, same)
        script = _less(script, instructions, same)
        for way in tuple(once):
            if found := _first(way(script), same):
                script = found
                once.remove(way)
        script = _with_numbers(script, same, values(script))
        for way in often:
            script = _while(way, script, same)
        if script == before:
            return script
    return script


def _while(way: Way, script: Script, same: Judge) -> Script:
    """Rewrites the script in one way as often as that can be done."""
    while good := _first(way(script), same):
        script = good
    return script


def _first(tries: Iterable[Script], same: Judge) -> Script | None:
    """Returns the first script that shows the same."""
    there = iter(tries)
    while some := list(islice(there, AT_ONCE)):
        for one, holds in zip(some, same(some), strict=True):
            if holds:
                return one
    return None


def _with_numbers(script: Script, same: Judge, values: Values) -> Script:
    """Puts numbers in the place of what computed them."""
    found = numbers(script, values)

    def made(places: Sequence[int]) -> Script | None:
        return with_edits(script, _part(found, places))

    return _together([at for at in found if found[at]], made, same) or script


def _part(edits: Edits, places: Sequence[int]) -> Edits:
    """Returns what is done at some places, with the second halves of constants."""
    return {at: edits[at] for place in places for at in (place, place + 1) if at == place or edits.get(at) == ()}


def _less(script: Script, places: Callable[[Script], list[Place]], same: Judge) -> Script:
    """Leaves out pieces, of half of all places first, of one in the end."""
    length = max(1, len(places(script)) // 2)
    while True:
        there = places(script)
        pieces = [there[start : start + length] for start in range(0, len(there), length)]
        smaller = _together(pieces, partial(_without, script), same)
        if smaller is None:
            if length == 1:
                return script
            length = max(1, length // 2)
        script = smaller or script


def _without(script: Script, pieces: Sequence[Sequence[Place]]) -> Script | None:
    return without(script, [place for piece in pieces for place in piece])


def _together(changes: Sequence[T], made: Callable[[Sequence[T]], Script | None], same: Judge) -> Script | None:
    """Makes those changes that can be made alone, all of them, or half of them, and so on: at least one, if any can."""
    alone = [made([change]) for change in changes]
    answers = iter(same([one for one in alone if one]))
    able = [change for change, one in zip(changes, alone, strict=True) if one and next(answers)]
    while able:
        changed = made(able)
        if changed and (len(able) == 1 or same([changed])[0]):
            return changed
        able = able[: len(able) // 2]
    return None
