# SPDX-License-Identifier: MIT
"""Breakpoints that never stop the guest: where the kernel loads, begins and frees a program, it is noted."""

from __future__ import annotations

from collections.abc import Callable

import gdb

from harness.debug.inside.guest import register, word
from harness.debug.inside.loaded import Loaded, from_lines, from_places
from harness.debug.inside.session import Session
from hil.errors import HilError

_WORD = 8


class Passing(gdb.Breakpoint):
    """Calls `noted` whenever the guest comes by."""

    def __init__(self, address: int, noted: Callable[[], None]) -> None:
        super().__init__(f"*{address:#x}", type=gdb.BP_HARDWARE_BREAKPOINT, internal=True)
        self.silent = True
        self._noted = noted

    def stop(self) -> bool:
        """Takes note, and lets the guest run on."""
        try:
            self._noted()
        except (HilError, gdb.error) as error:
            gdb.write(f"hil: {error}\n", gdb.STDERR)
        return False


class Watching:
    """Keeps a session's programs and runs up to date."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._entries: set[int] = set()
        data = session.data
        Passing(data.load.place, self._loaded)
        Passing(data.unload, lambda: session.forget(register(session.machine.arguments[0])))
        if data.interpreter is not None:
            Passing(data.interpreter.function, self._interpreted)
        gdb.events.cont.connect(self._continued)

    def _continued(self, _: object) -> None:
        if self._session.run is not None:
            self._session.run.moved = True

    def _loaded(self) -> None:
        session, load = self._session, self._session.data.load
        pointer = register(load.program)
        there = {one.number for one in session.loaded}
        # Programs with the same code: the one that is not there yet.
        programs = session.data.programs
        order = sorted(range(len(programs)), key=lambda number: number in there)
        ordered = [programs[number] for number in order]
        if load.tells_nothing:
            places = register(load.ends) if load.ends else None
            found = from_places(ordered, pointer, session.structures, session.data.arch, places)
        else:
            found = from_lines(ordered, pointer, session.structures)
        if found is None:
            return
        found = found.numbered(order[found.number])
        session.load(found)
        if found.native and found.native[0] not in self._entries:
            self._entries.add(found.native[0])
            # gdb has gone through its breakpoints when it asks this one: a new one does not disturb it.
            Passing(found.native[0], lambda: self._compiled(found.native[0]))

    def _compiled(self, address: int) -> None:
        for one in reversed(self._session.loaded):
            if one.native and one.native[0] == address:
                self._session.begin(one, register(self._session.data.registers[1]))
                return

    def _interpreted(self) -> None:
        first, second = (register(name) for name in self._session.machine.arguments[:2])
        one = begins_at(self._session, second)
        interpreter = self._session.data.interpreter
        if one is not None and interpreter is not None:
            self._session.begin(one, first if interpreter.given_context else word(first + _WORD))


def begins_at(session: Session, instruction: int) -> Loaded | None:
    """Returns the program whose first instruction is at an address."""
    return next((one for one in reversed(session.loaded) if one.instructions == instruction), None)
