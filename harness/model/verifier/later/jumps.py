# SPDX-License-Identifier: MIT
"""The order of checks of a conditional jump: check_cond_jmp_op(), kernel/bpf/verifier.c of 6.12."""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import REGISTERS
from harness.model.verifier.environment import Environment
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import NOT_INIT, check_source
from harness.model.verifier.verdict import Refused


def destination_first(env: Environment, insn: Instruction) -> None:
    """Checks whether the destination can be read."""
    check_source(env.state.registers, insn.dst)


def either_first(env: Environment, insn: Instruction) -> None:
    """Stands for a stable release that may have the change or not."""
    if insn.dst >= REGISTERS or env.state.registers[insn.dst].type is NOT_INIT:
        raise Refused(Rule.OPEN, "EACCES", "it is not known which field of a jump is checked first")
