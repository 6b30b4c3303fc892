# SPDX-License-Identifier: MIT
"""Loads and stores: the stack, map values, the context.

Source: check_mem_access() and what it calls, check_xadd(), the LDX, ST and STX arms of do_check(),
kernel/bpf/verifier.c of 4.1.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.isa.instruction import Instruction
from harness.isa.opcodes import STACK_SIZE, Mode
from harness.model.verifier.environment import Environment
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_IMM,
    CONST_PTR_TO_MAP,
    EMPTY_SLOT,
    FRAME_PTR,
    MISC,
    NAMES,
    PTR_TO_CTX,
    PTR_TO_MAP_VALUE,
    PTR_TO_MAP_VALUE_OR_NULL,
    PTR_TO_STACK,
    SPILL,
    SPILLED,
    UNKNOWN,
    UNKNOWN_VALUE,
    VALUE_SOMEWHERE,
    Register,
    RegisterType,
    Slot,
    State,
    as_int,
    check_destination,
    check_source,
    written_slot,
)
from harness.model.verifier.verdict import Refused

# Plain numbers, for reaching a member of an enumeration is slow and this runs for every simulated instruction.
_MEM, _ATOMIC = Mode.MEM.value, Mode.ATOMIC.value
_NO_BASE: Mapping[RegisterType, Rule] = {
    UNKNOWN_VALUE: Rule.ACCESS_BY_NUMBER,
    CONST_IMM: Rule.ACCESS_BY_NUMBER,
    PTR_TO_STACK: Rule.ACCESS_BY_STACK_POINTER,
    CONST_PTR_TO_MAP: Rule.ACCESS_BY_MAP,
    PTR_TO_MAP_VALUE_OR_NULL: Rule.ACCESS_UNCHECKED,
    VALUE_SOMEWHERE: Rule.OPEN,
}
"""The variants of the rule by which an access through a register that is no base is refused."""


def check_ldx(env: Environment, index: int, insn: Instruction) -> int:
    """Checks `dst = *(src + off)`; mode and `imm` were checked by the scan."""
    registers = env.state.registers
    base = check_source(registers, insn.src).type
    check_destination(registers, insn.dst, mark=False)
    size = insn.size.nbytes
    check_read(env, insn.src, insn.off, size, insn.dst)
    if size == 4:
        check_same_pointer(env, index, base)
    return index + 1


def check_same_pointer(env: Environment, index: int, base: RegisterType) -> None:
    """Refuses a 32 bit load that accesses the context on one path and memory on another, because it is rewritten for
    the context."""
    first = env.loaded.setdefault(index, base)
    if first is not base and PTR_TO_CTX in (first, base):
        raise Refused(Rule.TWO_POINTERS, "EINVAL", "same insn cannot be used with different pointers")


def check_stx(env: Environment, index: int, insn: Instruction) -> int:
    """Checks `*(dst + off) = src`, or with XADD `*(dst + off) += src`."""
    if insn.mode == _ATOMIC:
        env.hooks.check_xadd(env, index, insn)
        return index + 1
    if insn.mode != _MEM or insn.imm:
        raise Refused(Rule.STX_FIELDS, "EINVAL", "BPF_STX uses reserved fields")
    registers = env.state.registers
    value = check_source(registers, insn.src)
    check_source(registers, insn.dst)
    check_write(env, insn.dst, insn.off, insn.size.nbytes, value)
    return index + 1


def check_st(env: Environment, index: int, insn: Instruction) -> int:
    """Checks `*(dst + off) = imm`."""
    if insn.mode != _MEM or insn.src:
        raise Refused(Rule.ST_FIELDS, "EINVAL", "BPF_ST uses reserved fields")
    check_source(env.state.registers, insn.dst)
    check_write(env, insn.dst, insn.off, insn.size.nbytes, UNKNOWN)
    return index + 1


def check_xadd(env: Environment, index: int, insn: Instruction) -> None:
    """Checks that memory may be read and then written; a saved register that is read becomes plain data."""
    size = check_xadd_fields(insn)
    registers = env.state.registers
    check_source(registers, insn.src)
    check_source(registers, insn.dst)
    check_read(env, insn.dst, insn.off, size, None)
    check_write(env, insn.dst, insn.off, size, UNKNOWN)


def check_xadd_fields(insn: Instruction) -> int:
    """Checks the fields, and returns the size, 4 or 8 bytes."""
    size = insn.size.nbytes
    if size not in (4, 8) or insn.imm:
        raise Refused(Rule.XADD_FIELDS, "EINVAL", "BPF_XADD uses reserved fields")
    return size


def check_read(env: Environment, base: int, off: int, size: int, into: int | None) -> None:
    """check_mem_access(BPF_READ): puts what is read into register `into`, if any."""
    registers = env.state.registers
    at = env.hooks.check_mem_access(env, base, off, size, False)
    value = UNKNOWN if at is None else env.hooks.check_stack_read(env, at, size)
    if into is not None:
        registers[into] = value


def check_write(env: Environment, base: int, off: int, size: int, value: Register) -> None:
    """check_mem_access(BPF_WRITE)"""
    at = env.hooks.check_mem_access(env, base, off, size, True)
    if at is not None:
        env.hooks.check_stack_write(env.state, at, size, value)


def stack_at(register: Register, off: int) -> int | None:
    """Returns the distance of an access from R10 in bytes, None if it is not through R10 or a copy of it."""
    return off if register.type is FRAME_PTR else None


def check_access(env: Environment, base: int, off: int, size: int, write: bool) -> int | None:
    """Checks alignment first, whatever the base is, then the base's own bounds."""
    register = env.state.registers[base]
    if off % size:
        raise Refused(Rule.MISALIGNED, "EACCES", f"misaligned access off {off} size {size}")
    if register.type is FRAME_PTR:
        check_stack_bounds(off, size)
        return off
    if register.type is PTR_TO_MAP_VALUE:
        check_map_access(register, off, size)
    elif register.type is PTR_TO_CTX:
        check_context_access(env, off, size, write=write)
    else:
        check_no_base(register, base)
    return None


def check_no_base(register: Register, number: int) -> None:
    """Refuses an access through a register that points nowhere."""
    raise Refused(_NO_BASE[register.type], "EACCES", f"R{number} invalid mem access '{NAMES[register.type]}'")


def check_map_access(register: Register, off: int, size: int) -> None:
    """Checks that the access is inside one value of the map."""
    assert register.map is not None
    if off < 0 or off + size > register.map.value_size:
        value_size = as_int(register.map.value_size)
        raise Refused(
            Rule.MAP_VALUE_BOUNDS,
            "EACCES",
            f"invalid access to map value, value_size={value_size} off={off} size={size}",
        )


def check_context_access(env: Environment, off: int, size: int, *, write: bool) -> None:
    """Checks that the program type allows the access."""
    if not env.context.kind.context.allows(off, size, write=write):
        raise Refused(_context_rule(env, write), "EACCES", f"invalid bpf_context access off={off} size={size}")


def _context_rule(env: Environment, write: bool) -> Rule:
    """Returns the rule of the context: contexts of packets grew, and a later release lets programs on kprobes write
    theirs."""
    assert env.at is not None
    insn = env.program[env.at]
    if env.context.kind.packet and not env.context.kind.context.never(insn.off, insn.size.nbytes, write=write):
        return Rule.CONTEXT_OF_PACKET
    if insn.mode == _ATOMIC:
        return Rule.CONTEXT_ATOMIC
    return Rule.CONTEXT_WRITE if write and not env.context.kind.packet else Rule.CONTEXT_READ


def check_stack_bounds(off: int, size: int) -> None:
    """Checks that the offsets are from -512 to -1."""
    if not -STACK_SIZE <= off < 0:
        raise Refused(Rule.STACK_BOUNDS, "EACCES", f"invalid stack off={off} size={size}")


def check_stack_write(state: State, off: int, size: int, value: Register) -> None:
    """Writes to the stack. A pointer to a map value, to the stack or to the context is saved with its type, which takes
    a whole slot; all else becomes plain data. Access is aligned, so it never leaves its slot."""
    number, first = divmod(STACK_SIZE + off, 8)
    if value.type in (PTR_TO_MAP_VALUE, PTR_TO_STACK, PTR_TO_CTX):
        if size != 8:
            raise Refused(Rule.SPILL_SIZE, "EACCES", "invalid size of register spill")
        state.stack[number] = Slot(SPILLED, value)
    else:
        kinds = state.stack.get(number, EMPTY_SLOT).kinds
        state.stack[number] = written_slot(kinds, first, size)


def check_stack_read(env: Environment, off: int, size: int) -> Register:
    """Returns what is read: a saved register when it begins at one, else a number out of plain data."""
    state = env.state
    number, first = divmod(STACK_SIZE + off, 8)
    slot = state.stack.get(number, EMPTY_SLOT)
    if slot.kinds[first] == SPILL:
        if size != 8:
            raise Refused(Rule.SPILL_SIZE, "EACCES", "invalid size of register spill")
        if slot.kinds != SPILLED:
            raise Refused(Rule.SPILL_CORRUPTED, "EACCES", "corrupted spill memory")
        return slot.spilled
    for position in range(size):
        if slot.kinds[first + position] != MISC:
            rule = rule_of_reading(state, number, slot.kinds[first + position])
            raise Refused(rule, "EACCES", f"invalid read from stack off {off}+{position} size {size}")
    return UNKNOWN


def rule_of_reading(state: State, number: int, kind: int) -> Rule:
    """Returns the rule against reading a byte of that kind, other than plain data, in a slot."""
    if kind == SPILL:
        return Rule.STACK_READ
    return Rule.STACK_UNWRITTEN if any(written <= number for written in state.stack) else Rule.STACK_BELOW
