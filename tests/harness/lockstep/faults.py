# SPDX-License-Identifier: MIT
"""A program with one instruction of each kind, and a fault of the model for each of them: twenty in all."""

from __future__ import annotations

from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R1, R2, R3, R6, R7, R10, H, W
from harness.isa.instruction import Instruction
from harness.isa.table import find
from harness.model.environment import Environment
from harness.model.instructions.table import Table, instruction_table
from harness.model.memory import store
from harness.model.state import Handler, State
from harness.model.value import Value
from harness.script.operations import LoadProgram, ProgramType, Ref, RunSocketFilter, Script

BODY = asm.program(
    asm.mov64_imm(R0, 7),
    asm.mov64_reg(R6, R0),
    asm.ld_imm64(R7, 0x1122_3344_5566_7788),
    asm.add64_imm(R6, 5),
    asm.sub64_reg(R7, R6),
    asm.mul64_imm(R6, 3),
    asm.xor64_imm(R7, 0x55),
    asm.or64_imm(R6, 64),
    asm.and64_imm(R7, -2),
    asm.lsh64_imm(R6, 4),
    asm.rsh64_imm(R7, 1),
    asm.arsh64_imm(R7, 2),
    asm.neg64(R6),
    asm.add32_imm(R6, 1),
    asm.mov32_reg(R3, R7),
    asm.div64_imm(R7, 3),
    asm.mod64_imm(R6, 10),
    asm.be(R7, 32),
    asm.stx(DW, R10, -8, R7),
    asm.st(W, R10, -16, 77),
    asm.ldx(H, R2, R10, -8),
    asm.jgt_imm(R2, 1, 1),
    asm.mov64_imm(R2, 0),
    asm.mov64_reg(R1, R10),
    asm.xor32_reg(R3, R2),
    asm.exit_(),
)
SCRIPT = Script(
    "body", "one of each", (LoadProgram("it", ProgramType.SOCKET_FILTER, BODY), RunSocketFilter(Ref("it"), b"\0" * 64))
)
FAULTS = {
    name: index
    for index, one in enumerate(BODY.instructions)
    if (opcode := find(one)) and (name := opcode.name) not in ("mov64_imm", "mov64_reg", "exit") and one.code
    if name not in ("ld_imm64", "jgt_imm")
}


JUMP = next(index for index, one in enumerate(BODY.instructions) if (found := find(one)) and found.name == "jgt_imm")
"""One more fault: the jump that is never taken."""


def planted(environment: Environment, name: str) -> Table:
    """The instructions of a lane, one of which leaves its lowest bit wrong."""
    table = instruction_table(environment.rules)
    right: Handler = table[name]

    def wrong(state: State, instruction: Instruction) -> Value | None:
        result = right(state, instruction)
        if name.startswith("st"):
            store(state.registers[instruction.dst], instruction.off, 1, 0xEE)
        else:
            state.registers[instruction.dst] = state.registers[instruction.dst] ^ 1
        return result

    return {**table, name: wrong}


def never_jumping(environment: Environment) -> Table:
    """The instructions of a lane, one of which does not jump."""

    def other_way(state: State, instruction: Instruction) -> None:
        del instruction, state

    return {**instruction_table(environment.rules), "jgt_imm": other_way}
