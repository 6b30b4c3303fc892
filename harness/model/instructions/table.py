# SPDX-License-Identifier: MIT
"""The instruction table of an era."""

from __future__ import annotations

from functools import cache

from harness.isa.table import OPCODES
from harness.model.eras import Era
from harness.model.instructions.access import accesses
from harness.model.instructions.arithmetic import arithmetic
from harness.model.instructions.jumps import jumps
from harness.model.state import Handler

Table = dict[str, Handler]
"""Maps opcode names of `harness.isa.opcodes` to the functions that carry them out."""


@cache
def instruction_table(era: Era) -> Table:
    """Returns the functions of every instruction the era has. To plant a fault, copy it and replace a function."""
    existing = {opcode.name for opcode in OPCODES if opcode.since <= era.release}
    functions = (*arithmetic(era), *jumps(), *accesses())
    return {name: function for name, function in functions if name in existing}
