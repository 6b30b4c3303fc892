# SPDX-License-Identifier: MIT
"""Memory as later verifiers follow it: pointers that were moved by a constant, and every pointer on the stack.

Sources: check_mem_access(), check_stack_write_fixed_off(), check_stack_read_fixed_off(), adjust_ptr_min_max_vals(),
kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import STACK_SIZE, Alu, Class, Mode, Source
from harness.model.verifier.environment import Environment
from harness.model.verifier.later import bounds, pointers, records
from harness.model.verifier.memory import (
    check_context_access,
    check_map_access,
    check_no_base,
    check_stack_bounds,
    rule_of_reading,
)
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_IMM,
    EMPTY_SLOT,
    FRAME_PTR,
    INVALID,
    MISC,
    PTR_TO_CTX,
    PTR_TO_MAP_VALUE,
    PTR_TO_STACK,
    SPILL,
    SPILLED,
    UNKNOWN,
    Register,
    Slot,
    State,
    plain,
    written_slot,
)
from harness.model.verifier.verdict import Refused

_ADD, _SUB, _ALU64, _X = Alu.ADD.value, Alu.SUB.value, Class.ALU64.value, Source.X.value


def stack_at(register: Register, off: int) -> int | None:
    """Returns the distance of an access from R10 in bytes, None if it is not through a pointer to the stack."""
    if register.type is FRAME_PTR:
        return off
    return register.imm + off if register.type is PTR_TO_STACK else None


def moved(insn: Instruction, dst: Register, src: Register) -> Register | None:
    """Returns what a pointer to the stack, or to a map's value, becomes that is moved by a constant, which is not far,
    and what `bounds` knows; None for other arithmetic."""
    known = bounds.computed(insn, dst, src)
    if known is not None:
        return known
    if insn.opcode_class != _ALU64 or insn.operation not in (_ADD, _SUB) or records.is_record(dst):
        return None
    distance = insn.imm
    if insn.source == _X:
        if src.type is not CONST_IMM or src.imm < 0:  # of a negative one 4.1 may have the upper half wrong
            return None
        distance = src.imm
    start = 0 if dst.type is FRAME_PTR else dst.imm
    end = start + distance if insn.operation == _ADD else start - distance
    if dst.type not in (FRAME_PTR, PTR_TO_STACK, PTR_TO_MAP_VALUE) or max(abs(distance), abs(end)) >= pointers.FAR:
        return None
    return plain(PTR_TO_STACK, end) if dst.type is not PTR_TO_MAP_VALUE else dst._replace(imm=end)


def check_access(env: Environment, base: int, off: int, size: int, write: bool) -> int | None:
    """Checks an access as 4.1 does, but from where the base was moved to. On the stack it is always aligned; what a
    misaligned access to a map's value gives hangs on the architecture."""
    register = env.state.registers[base]
    at = off if register.type is FRAME_PTR else stack_at(register, off)
    if at is not None:
        if at % size:
            raise Refused(Rule.STACK_BOUNDS, "EACCES", f"misaligned stack access off {at} size {size}")
        check_stack_bounds(at, size)
    elif register.type is PTR_TO_CTX:
        check_context_access(env, off, size, write=write)
        if write:
            _check_context_store(env)
    elif register.type is PTR_TO_MAP_VALUE:
        check_map_access(register, register.imm + off, size)
        if (register.imm + off) % size:
            raise Refused(Rule.MISALIGNED, "EACCES", f"misaligned value access off {register.imm + off} size {size}")
    else:
        check_no_base(register, base)
    return at


def _check_context_store(env: Environment) -> None:
    """Of stores into a field that may be written: an atomic one is refused, one of a constant was until 6.4."""
    assert env.at is not None
    insn = env.program[env.at]
    if insn.mode == Mode.ATOMIC:
        raise Refused(Rule.CONTEXT_ATOMIC, "EACCES", "BPF_ATOMIC stores into ctx is not allowed")
    if insn.opcode_class == Class.ST:
        raise Refused(Rule.OPEN, "EACCES", "BPF_ST stores into ctx is not allowed")


def check_stack_write(state: State, off: int, size: int, value: Register) -> None:
    """Stores a register: a pointer of any kind is saved with its type, all else becomes plain data, and so does what is
    left of a pointer."""
    number, first = divmod(STACK_SIZE + off, 8)
    if value.type in pointers.POINTERS:
        if size != 8:
            raise Refused(Rule.SPILL_SIZE, "EACCES", "invalid size of register spill")
        state.stack[number] = Slot(SPILLED, value)
        return
    kinds = state.stack.get(number, EMPTY_SLOT).kinds
    if SPILL in kinds:
        kinds = bytes([MISC]) * 8
    state.stack[number] = written_slot(kinds, first, size)


def check_stack_read(env: Environment, off: int, size: int) -> Register:
    """Returns what is loaded: the saved pointer, or a number; out of bytes that nobody stored, where these may be
    read."""
    state = env.state
    number, first = divmod(STACK_SIZE + off, 8)
    slot = state.stack.get(number, EMPTY_SLOT)
    if SPILL in slot.kinds:
        if size != 8:
            raise Refused(Rule.SPILL_SIZE, "EACCES", "invalid size of register fill")
        return slot.spilled
    if INVALID in slot.kinds[first : first + size]:
        rule = rule_of_reading(state, number, INVALID)
        if rule not in env.rules.readable:
            raise Refused(rule, "EACCES", f"invalid read from stack off {off} size {size}")
    return UNKNOWN
