# SPDX-License-Identifier: MIT
"""Arguments beyond the fifth, which functions read above R11 and callers write below it; seen on 7.2.13."""

from __future__ import annotations

from functools import cache

from harness.isa.instruction import Instruction
from harness.isa.opcodes import REGISTERS, Class, Mode, Size
from harness.model.verifier.environment import Environment
from harness.model.verifier.hooks import Check
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import check_source
from harness.model.verifier.verdict import Refused

STACK_ARGUMENTS = 11
"""BPF_REG_PARAMS, the base register of these arguments."""


def is_stack_argument(insn: Instruction) -> bool:
    """Returns whether eight bytes above R11 are read, or below it written."""
    if insn.code == Class.LDX | Mode.MEM | Size.DW:
        from_there = insn.src == STACK_ARGUMENTS and insn.dst < REGISTERS
        return from_there and insn.off > 0 and insn.off % 8 == 0
    there = insn.dst == STACK_ARGUMENTS and insn.src < REGISTERS
    return insn.code == Class.STX | Mode.MEM | Size.DW and there and insn.off < 0 and insn.off % 8 == 0


@cache
def reading(check_ldx: Check) -> Check:
    """Returns the arm of LDX: a program was passed nothing, and what a function was passed is not known here."""

    def check(env: Environment, index: int, insn: Instruction) -> int:
        if not is_stack_argument(insn):
            return check_ldx(env, index, insn)
        if env.state.callers:
            raise Refused(Rule.OPEN, "EACCES", "it is not known what the function was passed")
        raise Refused(Rule.STACK_ARGUMENT, "EACCES", "invalid read from stack arg")

    return check


@cache
def writing(check_stx: Check) -> Check:
    """Returns the arm of STX."""

    def check(env: Environment, index: int, insn: Instruction) -> int:
        if insn.imm or not is_stack_argument(insn):
            return check_stx(env, index, insn)
        check_source(env.state.registers, insn.src)
        raise Refused(Rule.OPEN, "EINVAL", "it is not known which function the argument is for")

    return check
