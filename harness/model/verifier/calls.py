"""Calls of helpers: check_call(), check_func_arg(), check_stack_boundary(), kernel/bpf/verifier.c of 4.1."""

from __future__ import annotations

from collections.abc import Mapping

from harness.isa.instruction import Instruction
from harness.isa.opcodes import R0, R1, R2, STACK_SIZE, Helper, Source
from harness.model.verifier import records
from harness.model.verifier.context import MapShape
from harness.model.verifier.environment import Environment
from harness.model.verifier.memory import check_map_access
from harness.model.verifier.prototypes import Argument, Prototype, Return
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_IMM,
    CONST_PTR_TO_MAP,
    MISC,
    NAMES,
    NOT_INIT,
    PTR_TO_CTX,
    PTR_TO_MAP_VALUE,
    PTR_TO_MAP_VALUE_OR_NULL,
    PTR_TO_STACK,
    UNKNOWN_VALUE,
    Register,
    RegisterType,
    State,
    as_int,
    reset_caller_saved,
)
from harness.model.verifier.verdict import Refused

_EXPECTED: Mapping[Argument, RegisterType] = {
    Argument.MAP: CONST_PTR_TO_MAP,
    Argument.MAP_KEY: PTR_TO_STACK,
    Argument.MAP_VALUE: PTR_TO_STACK,
    Argument.STACK: PTR_TO_STACK,
    Argument.STACK_SIZE: CONST_IMM,
    Argument.MEMORY: PTR_TO_STACK,
    Argument.MEMORY_SIZE: CONST_IMM,
    Argument.MEMORY_SIZE_OR_ZERO: CONST_IMM,
    Argument.RECORD_SIZE: CONST_IMM,
    Argument.RECORD: PTR_TO_MAP_VALUE,
    Argument.CONTEXT: PTR_TO_CTX,
}


def check_call(env: Environment, insn: Instruction) -> None:
    """The helper, the license, the arguments in order; then R1 to R5 are lost and R0 is the result."""
    if insn.source == Source.X or insn.off or insn.src or insn.dst:
        raise Refused(Rule.CALL_FIELDS, "EINVAL", "BPF_CALL uses reserved fields")
    prototype = find_helper(env, insn.imm)
    check_license(env, prototype)
    registers = env.state.registers
    shape: MapShape | None = None
    for number, argument in enumerate(prototype.arguments, start=R1):
        check_argument(env.state, number, argument, shape)
        if argument is Argument.MAP:
            shape = registers[number].map
    if shape is not None:
        records.check_map(insn.imm, prototype, shape)
    if insn.imm == Helper.TAIL_CALL:
        records.check_leak(env.state)
    size = registers[R2].imm
    if Argument.RECORD in prototype.arguments:
        records.give_back(env.state, registers[R1])
    reset_caller_saved(registers)
    match prototype.returns:
        case Return.MAP_VALUE_OR_NULL:
            registers[R0] = Register(PTR_TO_MAP_VALUE_OR_NULL, map=shape)
        case Return.RECORD_OR_NULL:
            registers[R0] = records.give_out(env.state, size)
        case Return.INTEGER:
            registers[R0] = registers[R0].overwritten(UNKNOWN_VALUE)


def find_helper(env: Environment, number: int) -> Prototype:
    """Refuses a number that means nothing otherwise than a helper the program type does not offer."""
    if not 0 <= number < env.context.limits.helpers:
        raise Refused(Rule.HELPER_NUMBER, "EINVAL", f"invalid func {number}")
    prototype = env.context.kind.helpers.get(number)
    if prototype is None:
        rule = Rule.HELPER_NOT_FOR_PACKETS if env.context.kind.packet else Rule.HELPER_NOT_OFFERED
        raise Refused(rule, "EINVAL", f"unknown func {number}")
    return prototype


def check_license(env: Environment, prototype: Prototype) -> None:
    """Some helpers are for GPL compatible programs."""
    if prototype.gpl_only and not env.context.gpl:
        raise Refused(Rule.GPL_ONLY, "EINVAL", "cannot call GPL only function from proprietary program")


def check_argument(state: State, number: int, argument: Argument, shape: MapShape | None) -> None:
    """One argument register; `shape` is the map among the arguments before it."""
    register = state.registers[number]
    if register.type is NOT_INIT:
        raise Refused(Rule.UNREADABLE, "EACCES", f"R{number} !read_ok")
    if argument is Argument.ANYTHING:
        return
    expected = _EXPECTED[argument]
    fits = register.type is expected and (argument is not Argument.RECORD or records.is_record(register))
    if not fits and not (argument is Argument.MEMORY and register.type is PTR_TO_MAP_VALUE):
        rule = mistyped(register, expected)
        raise Refused(rule, "EACCES", f"R{number} type={records.describe(register)} expected={NAMES[expected]}")
    if argument is Argument.MAP_KEY:
        assert shape is not None
        check_stack_boundary(state, number, as_int(shape.key_size))
    elif argument is Argument.MAP_VALUE:
        assert shape is not None
        check_stack_boundary(state, number, as_int(shape.value_size))
    elif argument is Argument.MEMORY_SIZE or (argument is Argument.MEMORY_SIZE_OR_ZERO and register.imm):
        check_memory(state, number - 1, register.imm)
    elif argument is Argument.STACK_SIZE:
        check_stack_boundary(state, number - 1, register.imm)


def mistyped(register: Register, expected: RegisterType) -> Rule:
    """By which variant of its rule an argument of the wrong type is refused: what later helpers take differs."""
    if expected in (CONST_PTR_TO_MAP, PTR_TO_CTX):
        return Rule.ARGUMENT_MAP_OR_CONTEXT
    if expected is PTR_TO_MAP_VALUE:
        return Rule.NO_RECORD
    if expected is CONST_IMM:
        return Rule.ARGUMENT_SIZE
    if register.type in (UNKNOWN_VALUE, CONST_IMM, PTR_TO_CTX):
        return Rule.ARGUMENT_NO_POINTER
    unchecked = register.type is PTR_TO_MAP_VALUE_OR_NULL and not records.is_record(register)
    return Rule.ARGUMENT_UNCHECKED if unchecked else Rule.ARGUMENT_POINTER


def check_memory(state: State, number: int, size: int) -> None:
    """`size` bytes from register `number` on lie in one value of a map, or in the stack as above."""
    register = state.registers[number]
    if register.type is not PTR_TO_MAP_VALUE:
        check_stack_boundary(state, number, size)
    elif size <= 0:
        raise Refused(Rule.OPEN, "EACCES", f"invalid access_size={size}")
    elif register.map is not None and not (register.map.readable and register.map.writable):
        raise Refused(Rule.OPEN, "EACCES", "whether the helper reads or writes, its map allows one only")
    else:
        check_map_access(register, 0, size)


def check_stack_boundary(state: State, number: int, size: int) -> None:
    """`size` bytes from register `number` on lie in the stack and are plain data, also where the helper only writes."""
    off = state.registers[number].imm
    if not -STACK_SIZE <= off < 0 or off + size > 0 or size <= 0:
        raise Refused(Rule.STACK_TYPE, "EACCES", f"invalid stack type R{number} off={off} access_size={size}")
    for position in range(size):
        if state.kind(off + position) != MISC:
            raise Refused(
                Rule.INDIRECT_READ, "EACCES", f"invalid indirect read from stack off {off}+{position} size {size}"
            )
