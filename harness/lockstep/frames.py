# SPDX-License-Identifier: MIT
"""Which words of a frame's stack a recorded program wrote.

The 512 bytes below R10 are more than a frame may have: a JIT's stack ends where the program's own words do, and below
are what the kernel's functions, which helpers are among, push there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from harness.isa.opcodes import R1, R5, R10, STACK_SIZE
from harness.lockstep.actual import LOCAL
from harness.lockstep.effects import stores
from harness.lockstep.inside import CALL
from harness.lockstep.taken import Taken, TakenStep

WORD = 8


def written(taken: Taken, steps: Sequence[TakenStep]) -> Iterator[int]:
    """Yields the offsets of the words in the last step's stack that the program stored to, its functions through
    pointers among it, or that a helper changed which was given a pointer to them, or to words below."""
    top = steps[-1].registers[-1]
    if top is None or steps[-1].stack is None:
        return
    low = top - STACK_SIZE
    places = set()
    for one, following in pairwise(steps):
        instruction = taken.programs[one.program][one.index]
        frame = following.registers[-1] if one.registers[-1] is None else one.registers[-1]
        if stores(instruction):
            base = frame if instruction.dst == R10 else one.registers[instruction.dst]
            address = None if base is None else base + instruction.off
            if address is not None and low <= address < top and _is_in(address, top, frame):
                places.add((address - low) // WORD * WORD)
        elif instruction.code == CALL and instruction.src != LOCAL and frame == following.registers[-1] == top:
            places.update(_changed(one, following, low))
    yield from sorted(places)


def _is_in(address: int, top: int, frame: int | None) -> bool:
    """Returns whether an address in the 512 bytes below `top` is that frame's, not of the function that stores, whose
    frame may be there as well."""
    return frame is None or frame == top or not frame - STACK_SIZE <= address < frame


def _changed(one: TakenStep, following: TakenStep, low: int) -> Iterator[int]:
    """Yields the words that a helper changed at or above the lowest pointer into the frame that it was given."""
    offsets = [value - low for value in one.registers[R1 : R5 + 1] if value is not None]
    lowest = min((offset for offset in offsets if 0 <= offset < STACK_SIZE), default=STACK_SIZE)
    if one.stack is None or following.stack is None:
        return
    for place in range(lowest // WORD * WORD, STACK_SIZE, WORD):
        if one.stack[place : place + WORD] != following.stack[place : place + WORD]:
            yield place
