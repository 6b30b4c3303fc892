# SPDX-License-Identifier: MIT
"""Calls of helpers: memory that need not be the stack, maps and helpers that fit each other, records.

Sources: check_helper_call(), check_func_arg(), check_mem_size_reg(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R1, R2, STACK_SIZE, Helper
from harness.model.verifier import calls
from harness.model.verifier.context import MapShape
from harness.model.verifier.environment import Environment
from harness.model.verifier.later import functions, records, stack
from harness.model.verifier.memory import check_map_access
from harness.model.verifier.prototypes import Argument, Return
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_IMM,
    NAMES,
    NOT_INIT,
    PTR_TO_MAP_VALUE,
    PTR_TO_STACK,
    UNKNOWN,
    Register,
    RegisterType,
)
from harness.model.verifier.verdict import Refused

_EXPECTED: Mapping[Argument, RegisterType] = {
    **calls.EXPECTED,
    Argument.MEMORY: PTR_TO_STACK,
    Argument.MEMORY_SIZE: CONST_IMM,
    Argument.MEMORY_SIZE_OR_ZERO: CONST_IMM,
    Argument.FILLED_SIZE: CONST_IMM,
    Argument.FILLED_SIZE_OR_ZERO: CONST_IMM,
    Argument.RECORD_SIZE: CONST_IMM,
    Argument.RECORD: PTR_TO_MAP_VALUE,
}


def check_call(env: Environment, index: int, insn: Instruction) -> int:
    """Checks, after the arguments, whether helper and map fit, and what the program must release."""
    prototype = calls.callee(env, insn)
    shape = calls.check_arguments(env, prototype)
    if shape is not None:
        records.check_map(insn.imm, prototype, shape, env.rules.map_helpers.get(shape.type))
    if insn.imm == Helper.TAIL_CALL:
        if env.functions and not env.context.tail_calls_of_functions:
            raise Refused(Rule.TAIL_CALL_AND_FUNCTIONS, "EINVAL", "mixing of tail_calls and bpf-to-bpf calls")
        records.check_leak(env.state)
    size = env.state.registers[R2].imm
    if Argument.RECORD in prototype.arguments:
        records.release(env.state, env.state.registers[R1])
    calls.returned(env, prototype, shape)
    if prototype.returns is Return.RECORD_OR_NULL:
        env.state.registers[R0] = records.reserve(env.state, size)
    if insn.imm == Helper.TAIL_CALL and env.rules.tail_calls_end:
        return functions.ended(env, index, UNKNOWN)
    return index + 1


def check_argument(env: Environment, number: int, argument: Argument, shape: MapShape | None) -> None:
    """Checks as 4.1 does, and the kinds of arguments that came later."""
    register = env.state.registers[number]
    if register.type is NOT_INIT or argument is Argument.ANYTHING:
        calls.check_argument(env, number, argument, shape)
        return
    if register.type is not _EXPECTED[argument] or argument is Argument.RECORD:
        _check_type(number, register, argument)
    if argument is Argument.MEMORY_SIZE or (argument is Argument.MEMORY_SIZE_OR_ZERO and register.imm):
        check_memory(env, number - 1, register.imm)
    elif argument in (Argument.FILLED_SIZE, Argument.FILLED_SIZE_OR_ZERO):
        fill(env, number - 1, register.imm)
    else:
        calls.check_pointed(env, number, argument, shape)


def _check_type(number: int, register: Register, argument: Argument) -> None:
    expected = _EXPECTED[argument]
    if argument is Argument.RECORD:
        if not (register.type is expected and records.is_record(register)):
            raise Refused(Rule.NO_RECORD, "EACCES", f"R{number} type={records.describe(register)} expected=record")
    elif not (argument is Argument.MEMORY and register.type is PTR_TO_MAP_VALUE):
        rule = calls.mistyped(register.type, expected)
        if rule is Rule.ARGUMENT_UNCHECKED and records.is_record(register):
            rule = Rule.ARGUMENT_POINTER
        shown = f"type={records.describe(register)} expected={NAMES[expected]}"
        raise Refused(rule, "EACCES", f"R{number} {shown}")


def fill(env: Environment, number: int, size: int) -> None:
    """Checks that `size` bytes from register `number` on lie in one value of a map, or in the stack, and stores numbers
    in the stack: check_helper_call() does so for memory that need not be initialized."""
    register = env.state.registers[number]
    if register.type is not PTR_TO_STACK:
        check_memory(env, number, size)
        return
    off = register.imm
    if not -STACK_SIZE <= off < 0 or off + size > 0 or size <= 0:
        raise Refused(Rule.STACK_TYPE, "EACCES", f"invalid stack type R{number} off={off} access_size={size}")
    for position in range(off, off + size):
        stack.check_stack_write(env.state, position, 1, UNKNOWN)


def check_memory(env: Environment, number: int, size: int) -> None:
    """Checks that `size` bytes from register `number` on lie in one value of a map, or in the stack as 4.1 demands."""
    register = env.state.registers[number]
    if register.type is not PTR_TO_MAP_VALUE:
        calls.check_stack_boundary(env, number, size)
    elif size <= 0:
        raise Refused(Rule.OPEN, "EACCES", f"invalid access_size={size}")
    elif register.map is not None and not (register.map.readable and register.map.writable):
        raise Refused(Rule.OPEN, "EACCES", "it is not known whether the helper reads or writes; its map allows one")
    else:
        check_map_access(register, register.imm, size)
