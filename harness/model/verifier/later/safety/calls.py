# SPDX-License-Identifier: MIT
"""Calls of helpers: each argument, and the result.

Sources: check_helper_call(), check_func_arg(), check_mem_size_reg(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from collections.abc import Set

from harness.isa.opcodes import R0, R1, R5, Helper
from harness.model.verifier.context import MapShape, VerifierContext
from harness.model.verifier.hooks import VerifierRules
from harness.model.verifier.later.pointers import FAR
from harness.model.verifier.later.records import WRITERS
from harness.model.verifier.later.safety import memory
from harness.model.verifier.later.safety.contents import Certain, Content, Kind, Pointer, State, Unshown
from harness.model.verifier.later.safety.numbers import ANY, Number, constant
from harness.model.verifier.prototypes import Argument, Prototype, Return
from harness.model.verifier.rules import Rule
from harness.script.operations import MapType

_STACKS = (Argument.STACK, Argument.MEMORY)
_SIZES = {
    Argument.STACK_SIZE: (1, False),
    Argument.MEMORY_SIZE: (1, False),
    Argument.MEMORY_SIZE_OR_ZERO: (0, False),
    Argument.FILLED_SIZE: (1, True),
    Argument.FILLED_SIZE_OR_ZERO: (0, True),
}
"""The least size, and whether the helper fills the memory in front of it."""
_LOOKED_INTO = frozenset(
    {
        *(MapType.HASH, MapType.ARRAY, MapType.PERCPU_HASH, MapType.PERCPU_ARRAY),
        *(MapType.LRU_HASH, MapType.LRU_PERCPU_HASH),
    }
)
_ELEMENTS = frozenset({Helper.MAP_LOOKUP_ELEM, Helper.MAP_UPDATE_ELEM, Helper.MAP_DELETE_ELEM})


def call(state: State, context: VerifierContext, rules: VerifierRules, index: int, number: int) -> None:
    """Checks a call, and marks the registers that it overwrites."""
    prototype = context.kind.helpers.get(number)
    if not 0 <= number < context.limits.helpers:
        raise Certain(Rule.HELPER_NUMBER, f"invalid func {number}")
    if prototype is None:
        raise Unshown(f"a call of helper {number}")
    if prototype.gpl_only and not context.gpl:
        raise Unshown(f"a call of helper {number} by a program that is not under the GPL")
    if number == Helper.TAIL_CALL and (state.held or len(state.frames) > 1):
        raise Unshown("a tail call in a function, or while a record is held")
    registers = state.top.registers
    map = _arguments(state, prototype, rules.readable)
    if map is not None:
        _check_map(rules, prototype, number, map)
    size = registers[R1 + 1]
    if Argument.RECORD in prototype.arguments:
        record = registers[R1]
        assert isinstance(record, Pointer)
        state.held -= {record.id}
        state.replace(record.id, None)
    registers[R0 : R5 + 1] = [None] * 6
    if prototype.returns is Return.INTEGER:
        registers[R0] = ANY
    elif prototype.returns is not Return.NOTHING:
        registers[R0] = _given(state, prototype, index, map, size)


def _given(state: State, prototype: Prototype, index: int, map: MapShape | None, size: Content) -> Pointer:
    """Returns the pointer that a helper returns, which may be null; it is known by the call."""
    if state.holds(index + 1):
        raise Unshown(f"instruction {index} is called again while what it gave is still there")
    if prototype.returns is Return.RECORD_OR_NULL:
        assert isinstance(size, Number)
        state.held |= {index + 1}
        return Pointer(Kind.RECORD, size=size.low, id=index + 1, maybe=True)
    return Pointer(Kind.VALUE, of=map, id=index + 1, maybe=True)


def _check_map(rules: VerifierRules, prototype: Prototype, number: int, map: MapShape) -> None:
    """record_func_map(), check_map_func_compatibility()"""
    if number in _ELEMENTS and map.type not in _LOOKED_INTO:
        raise Unshown(f"a map of type {map.type} in a call of helper {number}")
    only = rules.map_helpers.get(map.type)
    if (only is not None and number not in only) or prototype.map not in (None, map.type):
        raise Unshown(f"a map of type {map.type} in a call of helper {number}")
    if number in WRITERS and not map.writable:
        raise Unshown("a map is written that programs may not write")


def _arguments(state: State, prototype: Prototype, readable: Set[Rule]) -> MapShape | None:
    """Checks one argument register after the other; returns the map among them, if any."""
    map: MapShape | None = None
    registers = state.top.registers
    for register, argument in enumerate(prototype.arguments, start=R1):
        content = registers[register]
        if content is None:
            raise Unshown("an argument that nobody wrote")
        if argument is Argument.MAP:
            if not (isinstance(content, Pointer) and content.kind is Kind.MAP):
                raise Unshown("an argument that is no map")
            map = content.of
        elif argument in (Argument.MAP_KEY, Argument.MAP_VALUE):
            assert map is not None
            if isinstance(content, Pointer) and content.kind is Kind.RECORD:
                raise Unshown("a key or a value in a record")
            size = map.key_size if argument is Argument.MAP_KEY else map.value_size
            memory.passed(state, content, constant(size), readable)
        elif argument in _SIZES:
            _memory(state, registers[register - 1], content, readable, *_SIZES[argument])
        elif argument is Argument.CONTEXT:
            if content != Pointer(Kind.CONTEXT):
                raise Unshown("an argument that is not the context")
        elif argument is Argument.RECORD:
            record = content if isinstance(content, Pointer) and content.kind is Kind.RECORD else None
            if record is None or record.maybe or record.off:
                raise Unshown("an argument that is no record")
        elif argument is Argument.RECORD_SIZE:
            if not (isinstance(content, Number) and content.known and content.low < FAR):
                raise Unshown("the size of a record is not known")
        elif argument not in _STACKS and argument is not Argument.ANYTHING:
            raise Unshown(f"an argument of kind {argument.name}")
    return map


def _memory(state: State, pointer: Content, size: Content, readable: Set[Rule], least: int, filled: bool) -> None:
    if not isinstance(size, Number) or not least <= size.low <= size.high < FAR:
        raise Unshown("the size of memory is not known")
    if state.vague and not size.known:
        raise Unshown("the size of memory may be out of bounds on a path that is not taken")
    if size.high == 0:  # the pointer is not looked at then, or is null
        raise Unshown("memory of no bytes")
    memory.passed(state, pointer, size, readable, filled=filled)
