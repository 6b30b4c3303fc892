# SPDX-License-Identifier: MIT
"""A smaller script that shows the same, by delta debugging: ever smaller pieces are left out, as long as any can be.

Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002). A guest answers many scripts in one
exchange, so all pieces of one size are tried at once; of those that can be left out alone, as many as go together are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.fuzz.finding.cutting import Place, instructions, operations, simpler, without
from harness.script.operations import Script

Judge = Callable[[Sequence[Script]], Sequence[bool]]
"""Says of each script whether it still shows what was found."""
ROUNDS = 4
"""How often everything is tried again after something was left out."""


def shrink(script: Script, same: Judge) -> Script:
    """Returns the smallest script that was found of which `same` holds, as it must of `script`."""
    for _ in range(ROUNDS):
        before = script
        script = _less(script, operations, same)
        script = _less(script, instructions, same)
        script = _simplest(script, same)
        if script == before:
            return script
    return script


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


def _simplest(script: Script, same: Judge) -> Script:
    """Makes numbers smaller, one after the other."""
    while tries := list(simpler(script)):
        good = next((one for one, holds in zip(tries, same(tries), strict=True) if holds), None)
        if good is None:
            return script
        script = good
    return script
