# SPDX-License-Identifier: MIT
"""What the model says otherwise of one engine than of the other.

The engines of a kernel share all but the running of programs, and what loading one asks of that: they differ in the
helpers that they can call, in what calls of map functions leave in the upper half of R0, and in tail calls. Whoever
gives the model another such difference adds it here; tests/harness/model/test_engines.py holds the predictions for both
against each other.
"""

from __future__ import annotations

from functools import lru_cache

from harness.isa.opcodes import Class, Helper, Jump
from harness.lane import Engine
from harness.model.environment import Environment
from harness.model.helpers import MAP_CHANGES
from harness.model.unchecked import possible
from harness.script.operations import LoadProgram, RawBpf, Script, flat

_CALL = Class.JMP | Jump.CALL
_KERNELS = 256
"""The kernels whose helpers are kept for the next script."""


def engine_matters(environment: Environment, script: Script) -> bool:
    """Returns whether the predictions of a script may depend on the engine; True also where that is not looked at."""
    helpers = _telling(environment)
    for operation in flat(script.operations):
        if isinstance(operation, RawBpf):  # which may load what it has in a buffer
            return True
        if isinstance(operation, LoadProgram) and any(
            insn.code == _CALL and insn.imm in helpers for insn in operation.program.instructions
        ):
            return True
    return False


@lru_cache(maxsize=_KERNELS)
def _telling(environment: Environment) -> frozenset[int]:
    """Returns the helpers whose calls may tell the engines of a kernel apart, under any of the rules that it may
    have."""
    helpers = {Helper.TAIL_CALL.value}
    for kernel in possible(environment):
        helpers |= kernel.rules.jit_helpers | kernel.rules.deadly_helpers
        if 0 < len(kernel.rules.int_map_calls) < len(Engine):
            helpers |= MAP_CHANGES
    return frozenset(helpers)
