# SPDX-License-Identifier: MIT
"""The numbers that the instructions of a script's program give when it runs, in the model."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from harness.fuzz.finding.cutting import loads
from harness.isa.opcodes import Class
from harness.model.executor import ModelExecutor
from harness.model.interpreter import Step
from harness.script.operations import Script

_log = logging.getLogger(__name__)

Values = Mapping[int, int]
"""The number that each instruction of a script's only program gave, by its index; not those that gave something
else."""


def values_of(model: ModelExecutor, script: Script) -> Values:
    """Returns what each instruction gave when it ran for the last time; nothing for scripts with several programs."""
    found: dict[int, int] = {}
    if len(loads(script)) != 1:
        return found
    ((_, load),) = loads(script)

    def note(step: Step) -> None:
        jumps = step.instruction.opcode_class in (Class.JMP, Class.JMP32)
        if jumps or step.stop or step.program != load.program.instructions:
            return
        given = step.after[step.instruction.dst]
        if isinstance(given, int):
            found[step.pc] = given
        else:
            found.pop(step.pc, None)

    try:
        model.telling(note).run(script)
    except Exception:
        _log.exception("the model failed at a smaller %s", script.name)
        return {}
    return found
