# SPDX-License-Identifier: MIT
"""Checks of later verifiers on maps and helpers that belong together, and on records that must be released.

4.1 has neither. A reserved record is treated by it as the value of a map that nobody else has, so that all its checks
of null and of bounds hold for records too. Sources: check_map_func_compatibility(), check_reference_leak() and their
kin, kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from functools import cache

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Helper
from harness.model.verifier import jumps
from harness.model.verifier.context import MapShape
from harness.model.verifier.environment import Environment
from harness.model.verifier.hooks import Check
from harness.model.verifier.prototypes import Prototype
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    MISC,
    NAMES,
    PTR_TO_MAP_VALUE,
    PTR_TO_MAP_VALUE_OR_NULL,
    UNKNOWN,
    UNSET,
    Register,
    Slot,
    State,
    constant,
)
from harness.model.verifier.verdict import Refused

WRITERS = frozenset({Helper.MAP_UPDATE_ELEM, Helper.MAP_DELETE_ELEM, Helper.MAP_PUSH_ELEM, Helper.MAP_POP_ELEM})
"""Helpers that take no map which programs may not write to."""
_RECORD = -1
"""The type of map that a record is treated as a value of."""


def check_mem_access(env: Environment, base: int, off: int, size: int, write: bool) -> int | None:
    """Checks as 4.1, with check_map_access_type() of 5.2: whether programs may read or write the map's values."""
    register = env.state.registers[base]
    if register.map is None or off % size:
        pass
    elif register.type is PTR_TO_MAP_VALUE:
        if not (register.map.readable and register.map.writable):
            check_rights(register.map, write)
    elif register.type is PTR_TO_MAP_VALUE_OR_NULL and is_record(register):
        raise Refused(Rule.RECORD_UNCHECKED, "EACCES", f"R{base} invalid mem access '{describe(register)}'")
    return env.hooks.check_access(env, base, off, size, write)


def check_rights(map: MapShape, write: bool) -> None:
    """Checks whether programs may write the map's values, or read them."""
    if not (map.writable if write else map.readable):
        if write:
            raise Refused(Rule.MAP_WRITE, "EACCES", "write into map forbidden")
        raise Refused(Rule.MAP_READ, "EACCES", "read from map forbidden")


def check_map(number: int, prototype: Prototype, shape: MapShape, only: frozenset[int] | None) -> None:
    """Checks that helper and map fit each other; record_func_map(), check_map_func_compatibility(). `only` are the
    helpers that take maps of this type, None for any."""
    if not shape.writable and number in WRITERS:
        raise Refused(Rule.MAP_WRITE, "EACCES", "write into map forbidden")
    if (only is not None and number not in only) or prototype.map not in (None, shape.type):
        raise Refused(Rule.MAP_AND_HELPER, "EINVAL", f"cannot pass map_type {shape.type} into func {number}")


def reserve(state: State, size: int) -> Register:
    """Returns the result of a reservation of `size` bytes: each is a record of its own, to be released on this path."""
    record = MapShape(_RECORD, 0, size & 0xFFFFFFFF)
    state.records |= {record}
    return Register(PTR_TO_MAP_VALUE_OR_NULL, map=record)


def is_record(register: Register) -> bool:
    return register.map is not None and register.map.type == _RECORD


def describe(register: Register) -> str:
    """Returns the register's type as a refusal names it; a record is distinguished from a map's value."""
    return NAMES[register.type].replace("map_value", "record") if is_record(register) else NAMES[register.type]


def release(state: State, register: Register) -> None:
    """release_reference(): invalidates all copies of the pointer."""
    record = register.map
    state.records -= {record}
    for number, other in enumerate(state.registers):
        if other.map is record and is_record(other):
            state.registers[number] = UNKNOWN
    for number, slot in state.stack.items():
        if slot.spilled.map is record and is_record(slot.spilled):
            state.stack[number] = Slot(bytes([MISC]) * 8, UNSET)


def refine(equal: State, unequal: State, number: int, register: Register, imm: int) -> None:
    """Refines as 4.1; but what is learned of one copy of a record holds for all."""
    if imm == 0 and register.type is PTR_TO_MAP_VALUE_OR_NULL and is_record(register):
        _checked(equal, unequal, register)
    jumps.refine(equal, unequal, number, register, imm)


def _checked(equal: State, unequal: State, register: Register) -> None:
    """mark_ptr_or_null_regs(). Where it is null there was no room, so that nothing is to be released."""
    equal.records -= {register.map}
    for number, other in enumerate(equal.registers):
        if other.map is register.map:
            equal.registers[number] = constant(0)
            unequal.registers[number] = other._replace(type=PTR_TO_MAP_VALUE)


@cache
def ended(check_exit: Check) -> Check:
    """Returns the check of an exit, at which all records must be released."""

    def check(env: Environment, index: int, insn: Instruction) -> int:
        if env.state.records and not env.state.callers:
            jumps.check_exit_fields(insn)
            check_leak(env.state)
        return check_exit(env, index, insn)

    return check


def check_leak(state: State) -> None:
    """check_reference_leak(): at a tail call, and before an exit checks R0."""
    if state.records:
        raise Refused(Rule.UNRELEASED, "EINVAL", "Unreleased reference")
