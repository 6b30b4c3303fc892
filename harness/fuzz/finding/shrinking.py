# SPDX-License-Identifier: MIT
"""A smaller script that shows the same, by delta debugging: ever smaller pieces are left out, as long as any can be.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002). A guest answers many scripts in one
exchange, so all pieces of one size are tried at once; of those that can be left out alone, as many as go together are.
In between, numbers take the place of what computed them, so that it can be left out, and what is stored in a map is
told by a filter's verdict (`harness.fuzz.finding.rewriting`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

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
    """Puts numbers in the place of what computed them: of those that can be there alone, as many as go together."""
    found = numbers(script, values)
    tries = [(at, with_edits(script, _part(found, [at]))) for at in found if found[at]]
    there = [(at, one) for at, one in tries if one]
    able = [at for (at, _), good in zip(there, same([one for _, one in there]), strict=True) if good] if there else []
    while able:
        together = with_edits(script, _part(found, able))
        if together and (len(able) == 1 or same([together])[0]):
            return together
        able = able[: len(able) // 2]
    return script


def _part(edits: Edits, places: Sequence[int]) -> Edits:
    """Returns what is done at some places, with the second halves of constants."""
    return {at: edits[at] for place in places for at in (place, place + 1) if at == place or edits.get(at) == ()}


def _less(script: Script, places: Callable[[Script], list[Place]], same: Judge) -> Script:
    """Leaves out pieces, of half of all places first, of one in the end."""
    length = max(1, len(places(script)) // 2)
    while True:
        there = places(script)
        pieces = [there[start : start + length] for start in range(0, len(there), length)]
        able = [piece for piece, good in zip(pieces, _tried(script, pieces, same), strict=True) if good]
        smaller = _together(script, able, same)
        if smaller is script:
            if length == 1:
                return script
            length = max(1, length // 2)
        script = smaller


def _together(script: Script, pieces: Sequence[Sequence[Place]], same: Judge) -> Script:
    """Leaves out all pieces, or half of them, and so on: at least one."""
    while pieces:
        smaller = without(script, [place for piece in pieces for place in piece])
        if smaller and (len(pieces) == 1 or same([smaller])[0]):
            return smaller
        pieces = pieces[: len(pieces) // 2]
    return script


def _tried(script: Script, pieces: Sequence[Sequence[Place]], same: Judge) -> list[bool]:
    cut = [without(script, piece) for piece in pieces]
    answers = iter(same([one for one in cut if one]))
    return [bool(one) and next(answers) for one in cut]
