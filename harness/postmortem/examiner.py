# SPDX-License-Identifier: MIT
"""The examiner of one machine: what its CPUs did when it died, and for which program."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

from harness.lane import Engine
from harness.lowering.context import Guest
from harness.lowering.engine import EngineUnavailable
from harness.lowering.executor import GuestExecutor, Observed
from harness.lowering.watch import Watch, loads
from harness.postmortem.programs import Compiled, UnderWay, interpreted, interpreter_of, nameless, natively, programs
from harness.script.maps import CreateMap
from harness.script.operations import LoadProgram, Script
from hil.errors import BenchError, HilError
from hil.gdb.frame import Frame
from hil.gdb.table import SymbolTable
from hil.machine import Machine
from hil.machine.postmortem import Death, PostMortem
from hil.postmortem import StillCpu, examine
from hil.postmortem.symbols import another

_log = logging.getLogger(__name__)

_MOST = 64
"""The scripts under way whose programs are compiled once more; the guest is at one of the first."""


class Examiner:
    """Examines a machine; `executor` is the one that runs scripts on it, None where it did not come to that."""

    def __init__(self, machine: Machine, executor: GuestExecutor | None) -> None:
        self._machine = machine
        self._scripts = executor.under_way if executor else ()

    def __call__(self, death: Death) -> PostMortem:
        """Returns what is left of the guest; errors as `hil.postmortem.examine`."""
        return examine(self._machine, death, self._look)

    def _look(self, cpu: StillCpu, frames: Sequence[Frame], table: SymbolTable | None) -> str:
        if table is None or cpu.in_user_space:
            return ""
        frame = interpreter_of(frames)
        if frame is not None:
            return interpreted(cpu, frame, self._scripts)
        if not nameless(frames):
            return ""
        try:
            found = natively(cpu, frames, self._compiled)
        except (BenchError, EngineUnavailable) as error:
            return f"code without a symbol, such as a JIT's, which is not known: {error}"
        return found or "code without a symbol, such as a JIT's, that is none of the programs under way"

    @cached_property
    def _compiled(self) -> Sequence[Compiled]:
        """Returns the programs under way as another machine of the kind compiles them, which loads and never runs
        them."""
        scripts = [made for script in self._scripts[:_MOST] if (made := _loads_of(script))]
        found: dict[UnderWay, Compiled] = {}
        if not scripts:
            return ()
        under_way = {one.instructions: one for one in programs(self._scripts)}
        with another(self._machine) as other, GuestExecutor(other, Guest.of(other.spec.kernel)) as executor:
            executor.switch(Engine.JIT)
            for script in scripts:
                executor.watch = Watch()
                for seen in executor.run([script]):
                    outcomes = seen.outcomes if isinstance(seen, Observed) else ()
                    for load, code in loads(script, outcomes, executor.watch.told):
                        program = under_way[tuple(load.program.instructions)]
                        if code.native:
                            found[program] = Compiled(program, code)
        return list(found.values())


def _loads_of(script: Script) -> Script | None:
    """Returns what of a script makes maps and loads programs; None where that is nothing, or no script by itself."""
    kept = tuple(one for one in script.operations if isinstance(one, CreateMap | LoadProgram))
    if not any(isinstance(one, LoadProgram) for one in kept):
        return None
    try:
        return replace(script, operations=kept, expected=())
    except HilError as error:
        _log.debug("%s is not loaded once more: %s", script.name, error)
        return None
