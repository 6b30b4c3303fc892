# SPDX-License-Identifier: MIT
"""Execution of straight-line code on plain numbers, so that a generator knows the results."""

from __future__ import annotations

from dataclasses import replace

from harness.isa.instruction import Instruction
from harness.isa.table import find
from harness.model.environment import Environment
from harness.model.eras import Era
from harness.model.helpers import Helpers
from harness.model.instructions.table import instruction_table
from harness.model.state import State
from harness.model.value import exactly


class Following:
    """Registers with plain numbers, by the model's own instructions."""

    def __init__(self, era: Era) -> None:
        self._table = instruction_table(era)
        lane = Environment(era.name, era.arch, era.latest, distribution=era.distribution)
        self._state = State((), {}, 0, Helpers(lane))

    def __getitem__(self, register: int) -> int:
        return exactly(self._state.registers[register])

    def __setitem__(self, register: int, number: int) -> None:
        self._state.registers[register] = number

    def compute(self, instruction: Instruction) -> None:
        """Carry out one that changes a register."""
        opcode = find(instruction)
        assert opcode is not None
        self._table[opcode.name](self._state, instruction)

    def jumps(self, instruction: Instruction) -> bool:
        """Returns whether a jump that compares is taken."""
        self._state.pc = 0
        self.compute(replace(instruction, off=1))
        return self._state.pc == 1
