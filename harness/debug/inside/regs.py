# SPDX-License-Identifier: MIT
"""`bpf regs`."""

from __future__ import annotations

from harness.debug.inside.place import exactly, machine_registers, registers
from harness.debug.inside.told import Command, at_most, say


class Regs(Command):
    """Show R0 to R10 before the next instruction, and where each is kept: bpf regs."""

    name = "bpf regs"

    def run(self, words: list[str]) -> None:
        at_most(words, 0, self.name)
        place = exactly(self.session)
        say(str(place))
        machine = machine_registers(self.session, place) if self.session.data.interpreter is None else ()
        for number, value in enumerate(registers(self.session, place)):
            shown = "not set before the prologue" if value is None else f"{value:#018x}"
            say(f"R{number:<3} {shown}{f'  {machine[number]}' if machine else ''}")
