# SPDX-License-Identifier: MIT
"""`bpf until INSN`."""

from __future__ import annotations

from harness.debug.inside.loaded import Loaded
from harness.debug.inside.place import here
from harness.debug.inside.session import Session
from harness.debug.inside.step import ended
from harness.debug.inside.stepping import until
from harness.debug.inside.told import Command, number, say
from hil.errors import UserError

_USAGE = "bpf until [PROGRAM] INSN"


class Until(Command):
    """Let the guest run to an instruction of the BPF program, by its number: bpf until [PROGRAM] INSN.

    It stops as well where the program ends before."""

    name = "bpf until"

    def run(self, words: list[str]) -> None:
        if not 1 <= len(words) <= 2:
            raise UserError(f"{len(words)} words, where one or two are needed", remedy=f"usage: {_USAGE}")
        loaded = program(self.session, words[0] if len(words) == 2 else None)
        place = until(self.session, loaded, number(words[-1], "an instruction"))
        if place is None:
            ended(self.session.data.registers[0], self.session.data.interpreter is not None)
        else:
            say(str(place))


def program(session: Session, name: str | None) -> Loaded:
    """Returns the loaded program of that name; without one, the program that the guest is in, or the newest. Raises
    UserError when there is none."""
    if name is None and (place := here(session)) is not None:
        return place.loaded
    if not session.loaded:
        raise session.nothing_loaded()
    found = [one for one in session.loaded if name in (None, one.data.name)]
    if not found:
        names = ", ".join(one.data.name for one in session.loaded)
        raise UserError(f"no program {name!r} is loaded", remedy=f"loaded are {names}")
    return found[-1]
