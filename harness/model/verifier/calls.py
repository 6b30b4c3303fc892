# SPDX-License-Identifier: MIT
"""Calls of helpers: check_call(), check_func_arg(), check_stack_boundary(), kernel/bpf/verifier.c of 4.1."""

from __future__ import annotations

from collections.abc import Mapping

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R1, STACK_SIZE, Source
from harness.model.verifier.context import MapShape
from harness.model.verifier.environment import Environment
from harness.model.verifier.memory import rule_of_reading
from harness.model.verifier.prototypes import Argument, Prototype, Return
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_IMM,
    CONST_PTR_TO_MAP,
    INVALID,
    MISC,
    NAMES,
    NOT_INIT,
    PTR_TO_CTX,
    PTR_TO_MAP_VALUE_OR_NULL,
    PTR_TO_STACK,
    UNKNOWN_VALUE,
    Register,
    RegisterType,
    as_int,
    reset_caller_saved,
)
from harness.model.verifier.verdict import Refused

EXPECTED: Mapping[Argument, RegisterType] = {
    Argument.MAP: CONST_PTR_TO_MAP,
    Argument.MAP_KEY: PTR_TO_STACK,
    Argument.MAP_VALUE: PTR_TO_STACK,
    Argument.STACK: PTR_TO_STACK,
    Argument.STACK_SIZE: CONST_IMM,
    Argument.CONTEXT: PTR_TO_CTX,
}


def check_call(env: Environment, index: int, insn: Instruction) -> int:
    """Checks the helper, the license, the arguments in order; then marks the registers that the call overwrites."""
    prototype = callee(env, insn)
    returned(env, prototype, check_arguments(env, prototype))
    return index + 1


def callee(env: Environment, insn: Instruction) -> Prototype:
    """Returns the helper that is called."""
    if insn.source == Source.X or insn.off or insn.src or insn.dst:
        raise Refused(Rule.CALL_FIELDS, "EINVAL", "BPF_CALL uses reserved fields")
    prototype = find_helper(env, insn.imm)
    check_license(env, prototype)
    return prototype


def check_arguments(env: Environment, prototype: Prototype) -> MapShape | None:
    """Checks one argument register after the other; returns the map among them, if any."""
    registers = env.state.registers
    shape: MapShape | None = None
    for number, argument in enumerate(prototype.arguments, start=R1):
        env.hooks.check_func_arg(env, number, argument, shape)
        if argument is Argument.MAP:
            shape = registers[number].map
    return shape


def returned(env: Environment, prototype: Prototype, shape: MapShape | None) -> None:
    """Marks R1 to R5 as unreadable, and R0 as the result."""
    registers = env.state.registers
    reset_caller_saved(registers)
    match prototype.returns:
        case Return.MAP_VALUE_OR_NULL:
            registers[R0] = Register(PTR_TO_MAP_VALUE_OR_NULL, map=shape)
        case Return.INTEGER:
            registers[R0] = registers[R0].overwritten(UNKNOWN_VALUE)


def find_helper(env: Environment, number: int) -> Prototype:
    """Returns the helper's prototype. A number that no program can call is refused by another rule than a helper that
    the program type does not offer."""
    if not 0 <= number < env.context.limits.helpers:
        raise Refused(Rule.HELPER_NUMBER, "EINVAL", f"invalid func {number}")
    prototype = env.context.kind.helpers.get(number)
    if prototype is None:
        rule = Rule.HELPER_NOT_FOR_PACKETS if env.context.kind.packet else Rule.HELPER_NOT_OFFERED
        raise Refused(rule, "EINVAL", f"unknown func {number}")
    return prototype


def check_license(env: Environment, prototype: Prototype) -> None:
    """Refuses helpers for GPL compatible programs only."""
    if prototype.gpl_only and not env.context.gpl:
        raise Refused(Rule.GPL_ONLY, "EINVAL", "cannot call GPL only function from proprietary program")


def check_argument(env: Environment, number: int, argument: Argument, shape: MapShape | None) -> None:
    """Checks one argument register; `shape` is the map among the arguments before it."""
    register = env.state.registers[number]
    if register.type is NOT_INIT:
        raise Refused(Rule.UNREADABLE, "EACCES", f"R{number} !read_ok")
    if argument is Argument.ANYTHING:
        return
    expected = EXPECTED[argument]
    if register.type is not expected:
        rule, shown = mistyped(register.type, expected), NAMES[register.type]
        raise Refused(rule, "EACCES", f"R{number} type={shown} expected={NAMES[expected]}")
    check_pointed(env, number, argument, shape)


def check_pointed(env: Environment, number: int, argument: Argument, shape: MapShape | None) -> None:
    """Checks the memory that an argument of the right type points to, or whose size it gives."""
    if argument is Argument.MAP_KEY:
        assert shape is not None
        check_stack_boundary(env, number, as_int(shape.key_size))
    elif argument is Argument.MAP_VALUE:
        assert shape is not None
        check_stack_boundary(env, number, as_int(shape.value_size))
    elif argument is Argument.STACK_SIZE:
        check_stack_boundary(env, number - 1, env.state.registers[number].imm)


def mistyped(type: RegisterType, expected: RegisterType) -> Rule:
    """Returns the variant of the rule by which an argument of the wrong type is refused: later helpers accept more
    types."""
    if expected in (CONST_PTR_TO_MAP, PTR_TO_CTX):
        return Rule.ARGUMENT_MAP_OR_CONTEXT
    if expected is CONST_IMM:
        return Rule.ARGUMENT_SIZE
    if type in (UNKNOWN_VALUE, CONST_IMM, PTR_TO_CTX):
        return Rule.ARGUMENT_NO_POINTER
    return Rule.ARGUMENT_UNCHECKED if type is PTR_TO_MAP_VALUE_OR_NULL else Rule.ARGUMENT_POINTER


def check_stack_boundary(env: Environment, number: int, size: int) -> None:
    """Checks that `size` bytes from register `number` on lie in the stack and are plain data, also where the helper
    only writes."""
    off = env.state.registers[number].imm
    if not -STACK_SIZE <= off < 0 or off + size > 0 or size <= 0:
        raise Refused(Rule.STACK_TYPE, "EACCES", f"invalid stack type R{number} off={off} access_size={size}")
    for position, kind in enumerate(env.state.kinds(off, size)):
        rule = None if kind == MISC else _rule_of_input(env, off + position, kind)
        if rule is not None and rule not in env.rules.readable:
            raise Refused(rule, "EACCES", f"invalid indirect read from stack off {off}+{position} size {size}")


def _rule_of_input(env: Environment, off: int, kind: int) -> Rule:
    """Returns the rule against giving a helper such a byte to read: for later verifiers, of what nobody wrote, that
    against loading it."""
    if kind != INVALID or not env.rules.follows_pointers:
        return Rule.INDIRECT_READ
    return rule_of_reading(env.state, (STACK_SIZE + off) // 8, kind)
