# SPDX-License-Identifier: MIT
"""Where in a program the guest stands, and what is in the program's registers there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gdb

from harness.debug.inside.guest import half, near, register, word
from harness.debug.inside.loaded import Loaded
from harness.debug.inside.session import Session
from harness.debug.inside.ways import functions
from harness.isa.opcodes import FRAME_POINTER, REGISTERS
from hil.errors import BenchError, UserError

_OUTER_FRAMES = 40
_WORD = 8


@dataclass(frozen=True)
class Place:
    """The instructions of a program that begin where the guest stands: more than one where the first ones have no code.

    It is not `exact` within an instruction's native code, or in a function that it called. `entry` marks the first
    instruction of a function, before the compiler's prologue.
    """

    loaded: Loaded
    indexes: tuple[int, ...]
    exact: bool = True
    entry: bool = False

    @property
    def index(self) -> int:
        return self.indexes[0]

    def __str__(self) -> str:
        return f"{self.loaded.data.name}: {self.index}: {self.loaded.text.get(self.index, '?')}"


def here(session: Session) -> Place | None:
    """Returns where the guest stands; None outside of the script's programs."""
    interpreter = session.data.interpreter
    pc = register("pc")
    if interpreter is not None:
        if pc not in interpreter.labels:
            return None
        at = register(interpreter.instruction)
        for one in reversed(session.loaded):
            if at in one.by_address and interpreter.labels[half(at) & 0xFF] == pc:
                return Place(one, one.by_address[at])
        return None
    for one in reversed(session.loaded):
        if pc in one.by_address:
            indexes = one.by_address[pc]
            return Place(one, indexes, entry=indexes[0] in functions(one.given))
    for address in (pc, *(caller - 1 for caller in _callers())):
        for one in reversed(session.loaded):
            if indexes := one.within(address):
                return Place(one, indexes[-1:], exact=False)
    return None


def needed(session: Session) -> Place:
    """Returns where the guest stands; raises UserError when it is in none of the script's programs."""
    place = here(session)
    if place is None:
        if not session.loaded:
            raise session.nothing_loaded()
        raise UserError(
            f"the guest is in none of the script's programs, but at {near(register('pc'))}",
            remedy="`bpf step` runs it to the next instruction of one",
        )
    return place


def exactly(session: Session) -> Place:
    """Returns the instruction that the guest is about to execute; raises UserError when it is at the begin of none."""
    place = needed(session)
    if not place.exact:
        raise UserError(
            f"the guest is within the code of instruction {place.index}, where registers are in motion",
            remedy="`bpf step` runs it to the next instruction",
        )
    return place


def registers(session: Session, place: Place) -> list[int | None]:
    """Returns R0 to R10 before the instruction at a place; None for the one that the prologue sets."""
    interpreter = session.data.interpreter
    if interpreter is not None:
        array = register(interpreter.array) + interpreter.offset
        return [word(array + _WORD * number) for number in range(REGISTERS)]
    return [
        None if place.entry and number == FRAME_POINTER else register(name)
        for number, name in enumerate(machine_registers(session, place))
    ]


def machine_registers(session: Session, place: Place) -> Sequence[str]:
    """Returns the names of the machine registers that a JIT keeps R0 to R10 in, at a place."""
    names = session.data.registers
    if not session.data.private or not any(register("pc") in one for one in place.loaded.private):
        return names
    return [*names[:FRAME_POINTER], session.data.private]


def stack_top(session: Session, place: Place) -> int:
    """Returns R10; raises UserError before the prologue has set it."""
    top = registers(session, place)[FRAME_POINTER]
    if top is None:
        raise UserError("the program has no stack yet: its prologue comes first", remedy="`bpf step` goes behind it")
    return top


def _callers() -> Iterator[int]:
    """Yields the addresses that the functions under way return to."""
    frame = gdb.newest_frame()
    for _ in range(_OUTER_FRAMES):
        older = frame.older() if frame is not None else None
        if older is None or not older.pc():
            return
        yield older.pc()
        frame = older


def return_address() -> int:
    """Returns where the innermost function returns to; raises BenchError when its caller is not found."""
    found = next(_callers(), None)
    if found is None:
        raise BenchError("the caller of the program is not found on the stack")
    return found
