# SPDX-License-Identifier: MIT
"""Runs instructions in the model without a kernel around them."""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R1, R10
from harness.model.environment import Environment
from harness.model.eras import ERAS, era
from harness.model.helpers import Helpers
from harness.model.instructions.table import instruction_table
from harness.model.interpreter import Ended, Interpreter, Returned
from harness.model.memory import Region
from harness.model.state import State
from harness.model.value import Pointer, Value

EXIT = Instruction(0x95)
VERSION_CODES = {name: era(name, "x86_64").latest for name in ERAS}


def environment(name: str = "4.1", arch: str = "x86_64", **more: object) -> Environment:
    return Environment(**{"era": name, "arch": arch, "version_code": VERSION_CODES[name], **more})  # type: ignore[arg-type]


def run(*instructions: Instruction, name: str = "4.1", context: Value = 0, packet: bytes | None = None) -> Ended:
    """Runs whole instructions, R1 being `context`."""
    interpreter = Interpreter(era(name, "x86_64"))
    state = State(instructions, {}, context, Helpers(environment(name)), packet)
    return interpreter.run(interpreter.compile(instructions), state)


def execute(instruction: Instruction, name: str = "4.1", **registers: Value) -> list[Value] | Ended:
    """Registers after one instruction, given some before it; what ended the program, if that did."""
    interpreter = Interpreter(era(name, "x86_64"))
    state = State((instruction, EXIT), {}, 0, Helpers(environment(name)))
    for register, value in registers.items():
        state.registers[int(register[1:])] = value
    code = interpreter.compile((instruction,))
    handler, _ = code[0]
    state.pc = 1
    result = handler(state, instruction)
    return state.registers if result is None else Returned(result)


def memory(content: bytes) -> Pointer:
    return Pointer(Region("test memory", len(content), content))


__all__ = ["EXIT", "R0", "R1", "R10", "environment", "era", "execute", "instruction_table", "memory", "run"]
