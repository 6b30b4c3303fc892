# SPDX-License-Identifier: MIT
"""`bpf state`."""

from __future__ import annotations

import json

from harness.debug.inside.place import exactly, registers
from harness.debug.inside.told import Command, at_most, say


class State(Command):
    """Show the instruction that is next and R0 to R10, for programs that drive gdb: as JSON, in which a register is
    null before the prologue has set it: bpf state."""

    name = "bpf state"

    def run(self, words: list[str]) -> None:
        at_most(words, 0, self.name)
        place = exactly(self.session)
        values = registers(self.session, place)
        say(json.dumps({"program": place.loaded.data.name, "indexes": place.indexes, "registers": values}))
