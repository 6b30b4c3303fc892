# SPDX-License-Identifier: MIT
"""What a conditional jump is asked first: check_cond_jmp_op(), kernel/bpf/verifier.c of 6.12."""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import REGISTERS
from harness.model.verifier.environment import Environment
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import NOT_INIT, check_source
from harness.model.verifier.verdict import Refused


def destination_first(env: Environment, insn: Instruction) -> None:
    """Whether the destination can be read."""
    check_source(env.state.registers, insn.dst)


def either_first(env: Environment, insn: Instruction) -> None:
    """Of a stable release that may have the change or not."""
    if insn.dst >= REGISTERS or env.state.registers[insn.dst].type is NOT_INIT:
        raise Refused(Rule.OPEN, "EACCES", "nobody knows what of a jump is looked at first")
