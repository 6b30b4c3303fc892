# SPDX-License-Identifier: MIT
"""Arithmetic on pointers as later verifiers see it; 4.1 takes the result for a number, whatever it is.

Source: adjust_reg_min_max_vals(), adjust_ptr_min_max_vals(), kernel/bpf/verifier.c of 5.10; seen to be the same on
5.10, 6.1, 6.12 and 7.2, for callers with all privileges.
"""

from __future__ import annotations

from enum import Enum, auto

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
    UNKNOWN_VALUE,
    Register,
    RegisterType,
    State,
    covers,
)
from harness.model.verifier.verdict import Refused

POINTERS = frozenset(RegisterType) - {NOT_INIT, UNKNOWN_VALUE, CONST_IMM}
STACK = frozenset({FRAME_PTR, PTR_TO_STACK})
FAR = 1 << 29
"""BPF_MAX_VAR_OFF: no pointer goes further from what it points at."""
_ALU64 = Class.ALU64.value
_ADD, _SUB, _NEG, _MOV, _END = Alu.ADD.value, Alu.SUB.value, Alu.NEG.value, Alu.MOV.value, Alu.END.value


class Result(Enum):
    """What becomes of the destination."""

    NUMBER = auto()
    TRACKED = auto()
    """A pointer still, or refused; of which 4.1 knows nothing."""
    REFUSED = auto()


def result(insn: Instruction, dst: Register, src: Register) -> Result:
    """Of arithmetic that is no MOV; `src` counts where the instruction reads it."""
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
    """Whether nobody minds the distance: check_reg_sane_offset() is EINVAL, and comes before what else is refused. What
    4.1 knows of a negative constant may be wrong in the upper half."""
    if isinstance(number, int):
        return abs(number) < FAR
    return number.type is CONST_IMM and 0 <= number.imm < FAR


def kept(before: Register, marked: Register) -> Register:
    """A move copies what the source was, also onto itself."""
    return before


def check_arithmetic(insn: Instruction, dst: Register, src: Register) -> None:
    """Refuses what makes no pointer and no number."""
    if result(insn, dst, src) is not Result.REFUSED:
        return
    by_register = insn.source == Source.X
    if PTR_TO_MAP_VALUE_OR_NULL in (dst.type, src.type if by_register else NOT_INIT):
        raise Refused(Rule.UNCHECKED_ARITHMETIC, "EACCES", "arithmetic on map_value_or_null prohibited")
    raise Refused(Rule.POINTER_ARITHMETIC, "EACCES", "arithmetic on a pointer prohibited")


def open_arithmetic(insn: Instruction, dst: Register, src: Register) -> None:
    """Of a release between 4.1 and 5.10, which may refuse it or not."""
    if result(insn, dst, src) is Result.REFUSED:
        raise Refused(Rule.OPEN, "EACCES", "nobody knows whether a pointer may be computed with like this")


def states_equal(old: State, new: State) -> bool:
    """As 4.1; but a number is not as good as a pointer (regsafe() since 4.14), and what is to be given back and where
    functions return to is the same."""
    return (
        old.records == new.records
        and old.callers == new.callers
        and covers(old, new)
        and not any(
            before.type is UNKNOWN_VALUE and now.type in POINTERS
            for before, now in zip(old.registers, new.registers, strict=True)
        )
    )
