# SPDX-License-Identifier: MIT
"""Arithmetic on pointers in later verifiers; 4.1 takes every result for a number.

Source: adjust_reg_min_max_vals(), adjust_ptr_min_max_vals(), kernel/bpf/verifier.c of 5.10; seen to be the same on
5.10, 6.1, 6.12 and 7.2, for callers with all privileges.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from functools import cache

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Source
from harness.model.verifier.rules import Rule
from harness.model.verifier.state import (
    CONST_IMM,
    CONST_PTR_TO_MAP,
    FRAME_PTR,
    NOT_INIT,
    PTR_TO_MAP_VALUE_OR_NULL,
    PTR_TO_STACK,
    SPILL,
    UNKNOWN_VALUE,
    Register,
    RegisterType,
    State,
    covers,
)
from harness.model.verifier.verdict import Refused

Refine = Callable[[State, State, int, Register, int], None]
POINTERS = frozenset(RegisterType) - {NOT_INIT, UNKNOWN_VALUE, CONST_IMM}
STACK = frozenset({FRAME_PTR, PTR_TO_STACK})
FAR = 1 << 29
"""BPF_MAX_VAR_OFF: the greatest distance of a pointer from its object."""
_ALU64 = Class.ALU64.value
_ADD, _SUB, _NEG, _MOV, _END = Alu.ADD.value, Alu.SUB.value, Alu.NEG.value, Alu.MOV.value, Alu.END.value


class Result(Enum):
    """The kind of value in the destination."""

    NUMBER = auto()
    TRACKED = auto()
    """Still a pointer, or refused; 4.1 knows nothing of it."""
    REFUSED = auto()


def result(insn: Instruction, dst: Register, src: Register) -> Result:
    """Returns the result of arithmetic that is no MOV; `src` counts where the instruction reads it."""
    operation, wide = insn.operation, insn.opcode_class == _ALU64
    by_register = insn.source == Source.X and operation not in (_END, _NEG)
    both = by_register and dst.type in POINTERS and src.type in POINTERS
    if dst.type not in POINTERS and not (by_register and src.type in POINTERS):
        return Result.NUMBER
    if operation == _END:
        return Result.TRACKED
    if operation == _NEG or (operation == _SUB and (both or not wide)):
        return Result.NUMBER
    pointer, number = (dst, src) if dst.type in POINTERS else (src, dst)
    if not wide or both or pointer.type is PTR_TO_MAP_VALUE_OR_NULL:
        return Result.REFUSED
    if pointer.type is not CONST_PTR_TO_MAP and not _small(insn.imm if not by_register else number):
        return Result.TRACKED
    if operation not in (_ADD, _SUB):
        return Result.REFUSED
    if operation == _SUB:
        refused = dst.type not in POINTERS or pointer.type in STACK or pointer.type is CONST_PTR_TO_MAP
    else:
        refused = pointer.type is CONST_PTR_TO_MAP and not by_register and insn.imm != 0
    return Result.REFUSED if refused else Result.TRACKED


def _small(number: int | Register) -> bool:
    """Returns whether every verifier accepts the distance: check_reg_sane_offset() is EINVAL, and comes before what
    else is refused. What 4.1 knows of a negative constant may be wrong in the upper half."""
    if isinstance(number, int):
        return abs(number) < FAR
    return number.type is CONST_IMM and 0 <= number.imm < FAR


def kept(before: Register, marked: Register) -> Register:
    """Copies the source as it was, also onto itself."""
    return before


def check_arithmetic(insn: Instruction, dst: Register, src: Register) -> None:
    """Refuses arithmetic that makes neither a pointer nor a number."""
    if dst.type not in POINTERS and src.type not in POINTERS:
        return
    if result(insn, dst, src) is not Result.REFUSED:
        return
    by_register = insn.source == Source.X
    if PTR_TO_MAP_VALUE_OR_NULL in (dst.type, src.type if by_register else NOT_INIT):
        raise Refused(Rule.UNCHECKED_ARITHMETIC, "EACCES", "arithmetic on map_value_or_null prohibited")
    raise Refused(Rule.POINTER_ARITHMETIC, "EACCES", "arithmetic on a pointer prohibited")


def open_arithmetic(insn: Instruction, dst: Register, src: Register) -> None:
    """Stands for a release between 4.1 and 5.10, which may refuse it or not."""
    if result(insn, dst, src) is Result.REFUSED:
        raise Refused(Rule.OPEN, "EACCES", "it is not known whether this arithmetic on a pointer is allowed")


def _narrower(before: Register, now: Register) -> bool:
    """Returns whether an unknown number could not be as high as another one that takes its place."""
    if not before.imm:
        return False
    if now.type is CONST_IMM:
        return not 0 <= now.imm <= before.imm
    return not 0 < now.imm <= before.imm


@cache
def kept_in_comparisons(refine: Refine) -> Refine:
    """Returns `refine` for registers other than pointers, and for a lookup's result that is compared with 0: of other
    pointers a comparison with a number shows nothing."""

    def refined(equal: State, unequal: State, number: int, register: Register, imm: int) -> None:
        looked_up = register.type is PTR_TO_MAP_VALUE_OR_NULL and imm == 0
        if looked_up or register.type not in POINTERS:
            refine(equal, unequal, number, register, imm)

    return refined


def states_equal(old: State, new: State) -> bool:
    """Compares as 4.1; but a number does not cover a pointer (regsafe() since 4.14), and what must be released and
    where functions return to must be the same."""
    if old.records != new.records or old.callers != new.callers or not covers(old, new):
        return False
    for number, slot in new.stack.items():
        if SPILL in slot.kinds and old.stack.get(number) != slot:
            return False
    for before, now in zip(old.registers, new.registers, strict=True):
        if before is not now and before.type is UNKNOWN_VALUE and (now.type in POINTERS or _narrower(before, now)):
            return False
    return True
