# SPDX-License-Identifier: MIT
"""`bpf step [N]`."""

from __future__ import annotations

from harness.debug.inside.guest import near, register
from harness.debug.inside.stepping import step
from harness.debug.inside.told import Command, at_most, number, say


class Step(Command):
    """Execute one instruction of the BPF program, or N of them: bpf step [N].

    Outside of a program, the guest runs to the first instruction of one. Helpers are one step."""

    name = "bpf step"

    def run(self, words: list[str]) -> None:
        at_most(words, 1, "bpf step [N]")
        for _ in range(number(words[0], "instructions") if words else 1):
            place = step(self.session)
            if place is None:
                ended(self.session.data.registers[0], self.session.data.interpreter is not None)
                return
        if place is not None:
            say(str(place))


def ended(register_of_r0: str, interpreted: bool) -> None:
    """Prints that the program has ended, and what it returned."""
    result = "" if interpreted else f", R0 was {register(register_of_r0):#x}"
    say(f"the program has ended{result}; the guest is at {near(register('pc'))}")
