# SPDX-License-Identifier: MIT
"""Numbers of which later verifiers know how high they can be, as far as pointers are moved by them.

Sources: scalar_min_max_and(), scalar_min_max_rsh(), reg_set_min_max(), adjust_ptr_min_max_vals(),
check_reg_sane_offset(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Jump, Source
from harness.model.verifier.later import pointers, records
from harness.model.verifier.state import (
    CONST_IMM,
    PTR_TO_MAP_VALUE,
    UNKNOWN_VALUE,
    VALUE_SOMEWHERE,
    Register,
    State,
    plain,
)

_AND, _RSH = Class.ALU64 | Alu.AND | Source.K, Class.ALU64 | Alu.RSH | Source.K
_ADD, _SUB = Class.ALU64 | Alu.ADD | Source.X, Class.ALU64 | Alu.SUB | Source.X
_GREATER = Class.JMP | Jump.JGT | Source.K
_NUMBERS = (UNKNOWN_VALUE, CONST_IMM)
NEAR = 1 << 16
"""A distance from a value's beginning, in bytes, to which a number below `pointers.FAR` may be added, or taken off."""


def computed(insn: Instruction, dst: Register, src: Register) -> Register | None:
    """Returns the number or the pointer that arithmetic gives, where it follows from how high a number can be; None
    where it does not."""
    if insn.code == _AND and dst.type in _NUMBERS and 0 < insn.imm < pointers.FAR:
        return plain(UNKNOWN_VALUE, insn.imm)
    if insn.code == _RSH and dst.type in _NUMBERS and 0 <= insn.imm < 64:
        most = (1 << 64 - insn.imm) - 1
        return plain(UNKNOWN_VALUE, most) if most < pointers.FAR else None
    if insn.code in (_ADD, _SUB) and _movable(dst) and _bounded(src):
        return plain(VALUE_SOMEWHERE, 0)
    if insn.code == _ADD and _movable(src) and _bounded(dst):
        return plain(VALUE_SOMEWHERE, 0)
    return None


def _movable(register: Register) -> bool:
    near = register.type is PTR_TO_MAP_VALUE and 0 <= register.imm <= NEAR
    return near and not records.is_record(register)


def _bounded(register: Register) -> bool:
    return register.type is UNKNOWN_VALUE and 0 < register.imm < pointers.FAR


def refine_order(fails: State, insn: Instruction) -> None:
    """Takes a number that is not greater than a constant for one that is at most that."""
    if insn.code != _GREATER or not 0 < insn.imm < pointers.FAR:
        return
    register = fails.registers[insn.dst]
    if register.type is UNKNOWN_VALUE:
        fails.registers[insn.dst] = plain(UNKNOWN_VALUE, min(register.imm or insn.imm, insn.imm))
