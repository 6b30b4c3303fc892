# SPDX-License-Identifier: MIT
"""`ctx`."""

from __future__ import annotations

from harness.abi.bpf import ProgramType
from harness.abi.pt_regs import pt_regs
from harness.debug.inside.guest import memory, near, register, symbol
from harness.debug.inside.told import Command, at_most, say
from hil.errors import UserError

_A_ROW = 4


class Ctx(Command):
    """Show the context of the BPF program on a probe, struct pt_regs, by the names of its fields: ctx."""

    name = "ctx"

    def run(self, words: list[str]) -> None:
        at_most(words, 0, self.name)
        address = self._address()
        layout = pt_regs(self.session.data.arch, self.session.data.era)
        content = memory(address, layout.size)
        values = {name: int.from_bytes(content[at : at + 8], "little") for name, at in layout.offsets.items()}
        say(f"struct pt_regs at {address:#x}: probed is {near(values[layout.ip] - layout.ip_bias)}")
        say("arguments: " + ", ".join(f"{name}={values[name]:#x}" for name in layout.arguments))
        cells = [f"{name:<8} {value:#018x}" for name, value in values.items()]
        for start in range(0, len(cells), _A_ROW):
            say("  ".join(cells[start : start + _A_ROW]))

    def _address(self) -> int:
        """Returns where the context is: of the run under way, or of the one that is about to begin."""
        data = self.session.data
        if "ctx" in data.hook_arguments and register("pc") == symbol(data.hook):
            return register(self.session.machine.arguments[data.hook_arguments.index("ctx")])
        run = self.session.run
        if run is None:
            raise UserError("no program of the script has begun", remedy="`bpf step` runs the guest to where one does")
        if run.loaded.data.kind != ProgramType.KPROBE:
            raise UserError(
                f"{run.loaded.data.name} is a {run.loaded.data.kind_name} program, whose context is no struct pt_regs",
                remedy=f"it is at {run.context:#x}: x/8gx {run.context:#x}",
            )
        return run.context
