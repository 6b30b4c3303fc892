# SPDX-License-Identifier: MIT
"""Collects what cases reach while the model predicts them: points, each a word of its section, behind a colon.

instruction: add64_reg 63 bits, -1 -> +        an opcode, the classes of both operands, and of the result
instruction: jgt_imm 31 bits, 0 -> taken
helper: map_lookup_elem -> pointer             a helper and the class of R0
refusal: M-12.number                           a rule by which a verifier refuses a program
operation: LookupElement -> ENOENT             a type of operation and what the kernel gave
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.fuzz.coverage.classes import class_of, outcome_of
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Helper, Source
from harness.isa.table import OPCODES, Opcode
from harness.lowering.executor import Missed, Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.instructions.table import Table, instruction_table
from harness.model.state import Handler, State, TailCall
from harness.model.value import Value
from harness.model.verifier.rules import Rule
from harness.script.outcome import Outcome, Prediction

INSTRUCTION, HELPER, REFUSAL, OPERATION = SECTIONS = ("instruction", "helper", "refusal", "operation")
_JUMPS = (Class.JMP, Class.JMP32)
_COMPUTING = (Class.ALU, Class.ALU64)
_OPCODES = {opcode.name: opcode for opcode in OPCODES}
_HELPERS = {one.value: one.name.lower() for one in Helper}
_M64 = (1 << 64) - 1


class Points:
    """The points that were reached, of one place."""

    def __init__(self) -> None:
        self.reached: set[str] = set()
        self._met: set[tuple[str, ...]] = set()
        """The points of instructions in parts, which are put together when they are asked for."""

    def model(self, environment: Environment) -> ModelExecutor:
        """Returns a model whose runs and refusals count."""
        return ModelExecutor(environment, instructions=self._watched(environment), refused=self._refused)

    def heard(self, seen: Observed | Missed, _: Sequence[Prediction]) -> None:
        """Counts what the kernel gave."""
        if isinstance(seen, Missed):
            return
        for operation, outcome in zip(seen.script.operations, seen.outcomes, strict=True):
            self.reached.add(f"{OPERATION}: {type(operation).__name__} -> {_given(outcome)}")

    def all(self) -> frozenset[str]:
        """Returns every point that was reached."""
        for name, *operands, outcome in self._met:
            self.reached.add(f"{INSTRUCTION}: {' '.join(filter(None, (name, ', '.join(operands))))} -> {outcome}")
        self._met.clear()
        return frozenset(self.reached)

    def _refused(self, rule: Rule) -> None:
        self.reached.add(f"{REFUSAL}: {rule.value}")

    def _watched(self, environment: Environment) -> Table:
        table = instruction_table(environment.rules)
        return {name: self._with(_OPCODES[name], handler) for name, handler in table.items()}

    def _with(self, opcode: Opcode, handler: Handler) -> Handler:
        met, name, kind = self._met, opcode.name, opcode.opcode_class
        by_register = opcode.source == Source.X

        def computing(state: State, instruction: Instruction) -> Value | None:
            dst = class_of(state.registers[instruction.dst])
            src = class_of(state.registers[instruction.src] if by_register else instruction.imm & _M64)
            result = handler(state, instruction)
            met.add((name, dst, src, outcome_of(state.registers[instruction.dst])))
            return result

        def jumping(state: State, instruction: Instruction) -> Value | None:
            dst = class_of(state.registers[instruction.dst])
            src = class_of(state.registers[instruction.src] if by_register else instruction.imm & _M64)
            behind = state.pc
            result = handler(state, instruction)
            met.add((name, dst, src, "not taken" if state.pc == behind else "taken"))
            return result

        def calling(state: State, instruction: Instruction) -> Value | None:
            met.add((name, "done"))
            try:
                result = handler(state, instruction)
            except TailCall:
                self.reached.add(f"{HELPER}: {helper(instruction.imm)} -> taken")
                raise
            self.reached.add(f"{HELPER}: {helper(instruction.imm)} -> {outcome_of(state.registers[0])}")
            return result

        def storing(state: State, instruction: Instruction) -> Value | None:
            src = class_of(state.registers[instruction.src] if kind == Class.STX else instruction.imm & _M64)
            result = handler(state, instruction)
            met.add((name, src, "done"))
            return result

        def loading(state: State, instruction: Instruction) -> Value | None:
            result = handler(state, instruction)
            met.add((name, outcome_of(state.registers[instruction.dst])))
            return result

        def moving(state: State, instruction: Instruction) -> Value | None:
            result = handler(state, instruction)
            met.add((name, "done"))
            return result

        if name == "call":
            return calling
        if kind in _COMPUTING:
            return computing
        if kind in _JUMPS:
            return jumping if opcode.notation.startswith("if") else moving
        return storing if kind in (Class.ST, Class.STX) else loading


def helper(number: int) -> str:
    """Returns the name of a helper, or its number where it has none here."""
    return _HELPERS.get(number, str(number))


def _given(outcome: Outcome) -> str:
    return outcome.errno or "done"
