# SPDX-License-Identifier: MIT
"""Jumps, and what a comparison teaches about a register.

Source: check_cond_jmp_op(), the JMP arm of do_check(), kernel/bpf/verifier.c of 4.1.
"""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, Jump, Source
from harness.model.verifier.environment import Environment
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_IMM,
    PTR_TO_MAP_VALUE,
    PTR_TO_MAP_VALUE_OR_NULL,
    Register,
    State,
    check_source,
)
from harness.model.verifier.verdict import Refused

# Plain numbers, for reaching a member of an enumeration is slow and this runs for every simulated instruction.
_X, _CALL, _JA, _EXIT = Source.X.value, Jump.CALL.value, Jump.JA.value, Jump.EXIT.value
_JEQ, _JNE = Jump.JEQ.value, Jump.JNE.value

END_OF_PATH = -1
"""Stands for the index after an exit."""


def check_jmp(env: Environment, index: int, insn: Instruction) -> int:
    """Checks one jump, call or exit; returns the index at which the path goes on."""
    operation = insn.operation
    if operation == _CALL:
        return env.hooks.check_call(env, index, insn)
    if operation == _JA:
        check_ja(insn)
        return index + insn.off + 1
    if operation == _EXIT:
        return env.hooks.check_exit(env, index, insn)
    return check_conditional(env, index, insn)


def check_ja(insn: Instruction) -> None:
    """Checks a goto, which has a distance and no other field."""
    if insn.source == _X or insn.imm or insn.src or insn.dst:
        raise Refused(Rule.JA_FIELDS, "EINVAL", "BPF_JA uses reserved fields")


def check_exit(env: Environment, index: int, insn: Instruction) -> int:
    """Checks an exit: R0 holds something, anything."""
    check_exit_fields(insn)
    check_source(env.state.registers, R0)
    return END_OF_PATH


def check_exit_fields(insn: Instruction) -> None:
    """Checks the fields of an exit, which must be zero, except `off`, which is not checked."""
    if insn.source == _X or insn.imm or insn.src or insn.dst:
        raise Refused(Rule.EXIT_FIELDS, "EINVAL", "BPF_EXIT uses reserved fields")


def check_conditional(env: Environment, index: int, insn: Instruction) -> int:
    """Falls through and leaves the taken side for later, unless a known constant decides."""
    operation = insn.operation
    if operation > _EXIT:
        raise Refused(Rule.JMP_OPCODE, "EINVAL", f"invalid BPF_JMP opcode {operation:x}")
    registers = env.state.registers
    constant = insn.source != _X
    env.hooks.check_jump_first(env, insn)
    if insn.src if constant else insn.imm:
        raise Refused(Rule.JMP_FIELDS, "EINVAL", "BPF_JMP uses reserved fields")
    if not constant:
        check_source(registers, insn.src)
    register = check_source(registers, insn.dst)
    equality = constant and operation in (_JEQ, _JNE)
    # Of a negative constant 4.1 gets the upper half wrong; for others both ways are followed.
    known = insn.imm >= 0 or env.rules.specified
    if equality and known and register.type is CONST_IMM and register.imm == insn.imm:
        return index + 1 + (insn.off if operation == _JEQ else 0)
    taken = env.push(index + insn.off + 1, index)
    if equality:
        equal, unequal = (taken, env.state) if operation == _JEQ else (env.state, taken)
        env.hooks.refine(equal, unequal, insn.dst, register, insn.imm)
    else:
        env.hooks.refine_order(env.state, insn)
    if env.log:
        env.log.write(f"{env.state}\n")
    return index + 1


def fields_first(env: Environment, insn: Instruction) -> None:
    """Checks nothing before the reserved fields."""


def learn_nothing(fails: State, insn: Instruction) -> None:
    """Refines nothing: 4.1 knows numbers, and no ranges of them."""


def refine(equal: State, unequal: State, number: int, register: Register, imm: int) -> None:
    """Refines both states: where the register equals `imm` it is that constant, even if it was a pointer, even R10;
    where the result of a lookup is not 0 it is a map value. Copies of the register are not refined."""
    if imm == 0 and register.type is PTR_TO_MAP_VALUE_OR_NULL:
        unequal.registers[number] = Register(PTR_TO_MAP_VALUE, register.imm, register.map, register.stale)
    equal.registers[number] = register.overwritten(CONST_IMM, imm)
