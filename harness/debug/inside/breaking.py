# SPDX-License-Identifier: MIT
"""`bpf break [PROGRAM] INSN`."""

from __future__ import annotations

import gdb

from harness.debug.inside.loaded import Loaded
from harness.debug.inside.session import Session
from harness.debug.inside.stepping import Target, at_instruction
from harness.debug.inside.told import Command, number, say
from hil.errors import UserError

_USAGE = "bpf break [PROGRAM] INSN"


class Break(Command):
    """Stop whenever an instruction of a BPF program is next: bpf break [PROGRAM] INSN.

    A program that is not loaded yet gets its breakpoint when it is; without PROGRAM, every one does that has such an
    instruction. `info breakpoints` and `delete` are gdb's own."""

    name = "bpf break"

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._wanted: list[tuple[str, int]] = []
        session.on_load.append(self._set)

    def run(self, words: list[str]) -> None:
        if not 1 <= len(words) <= 2:
            raise UserError(f"{len(words)} words, where one or two are needed", remedy=f"usage: {_USAGE}")
        index, name = number(words[-1], "an instruction"), words[0] if len(words) == 2 else None
        programs = [one for one in self.session.data.programs if name in (None, one.name)]
        if not programs:
            names = ", ".join(one.name for one in self.session.data.programs)
            raise UserError(f"the script has no program {name!r}", remedy=f"it has {names}")
        meant = [one.name for one in programs if index in dict(one.text)]
        if not meant:
            raise UserError(f"no instruction of {', '.join(one.name for one in programs)} begins at {index}")
        for loaded in self.session.loaded:
            if loaded.data.name in meant:
                self._at(loaded, index)
        self._wanted += [(one, index) for one in meant]
        say(f"stops before instruction {index} of {', '.join(meant)}")

    def _set(self, loaded: Loaded) -> None:
        for name, index in self._wanted:
            if name == loaded.data.name:
                self._at(loaded, index)

    def _at(self, loaded: Loaded, index: int) -> None:
        for target in at_instruction(self.session, loaded, index):
            _Break(target)


class _Break(gdb.Breakpoint):
    def __init__(self, target: Target) -> None:
        super().__init__(f"*{target.address:#x}", type=gdb.BP_HARDWARE_BREAKPOINT)
        self._target = target

    def stop(self) -> bool:
        return self._target.met()
