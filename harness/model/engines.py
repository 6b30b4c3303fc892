# SPDX-License-Identifier: MIT
"""What the model says otherwise of one engine than of the other.

The engines of a kernel share all but the running of programs. There they differ in the helpers that they can call, in
what calls of map functions leave in the upper half of R0, and in tail calls; whoever gives the model another such
difference adds it here, and `tests/harness/model/test_engines.py` holds both engines' predictions against each other.
"""

from __future__ import annotations

from harness.isa.opcodes import Class, Helper, Jump
from harness.lane import Engine
from harness.model.eras import Era
from harness.model.helpers import MAP_CHANGES
from harness.script.operations import LoadProgram, RawBpf, Script, flat

_CALL = Class.JMP | Jump.CALL


def engine_matters(rules: Era, script: Script) -> bool:
    """Returns whether the predictions of a script may depend on the engine; True also where that is not looked at."""
    helpers = {Helper.TAIL_CALL.value, *rules.jit_helpers, *rules.deadly_helpers}
    if 0 < len(rules.int_map_calls) < len(Engine):
        helpers.update(MAP_CHANGES)
    for operation in flat(script.operations):
        if isinstance(operation, RawBpf):  # which may load what it has in a buffer
            return True
        if isinstance(operation, LoadProgram) and any(
            insn.code == _CALL and insn.imm in helpers for insn in operation.program.instructions
        ):
            return True
    return False
