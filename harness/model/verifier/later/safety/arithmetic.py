# SPDX-License-Identifier: MIT
"""Arithmetic on numbers and pointers.

Sources: check_alu_op(), adjust_ptr_min_max_vals(), kernel/bpf/verifier.c of 5.10, for callers with all privileges.
"""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Alu, Class, Source
from harness.model.verifier.later.pointers import FAR
from harness.model.verifier.later.safety.contents import ANYTHING, Content, Kind, Pointer, Unshown
from harness.model.verifier.later.safety.numbers import ANY, Number, computed, constant, lower_half, of_bits

_ALU64, _X = Class.ALU64.value, Source.X.value
_MOV, _ADD, _SUB = Alu.MOV.value, Alu.ADD.value, Alu.SUB.value
_SHIFTS = frozenset({Alu.LSH.value, Alu.RSH.value, Alu.ARSH.value})
_DIV, _MOD, _NEG, _END = Alu.DIV.value, Alu.MOD.value, Alu.NEG.value, Alu.END.value


def result(insn: Instruction, dst: Content, src: Content) -> Content:
    """Returns what the destination holds afterwards; `src` counts where the instruction reads it."""
    operation, bits = insn.operation, 64 if insn.opcode_class == _ALU64 else 32
    if operation in (_NEG, _END):
        return _unknown(_read(dst), bits if operation == _NEG else 64)
    by_register = insn.source == _X
    right = _read(src) if by_register else constant(insn.imm if bits == 64 else insn.imm & 0xFFFFFFFF)
    if operation == _MOV:
        return _copied(insn, right, bits)
    left = _read(dst)
    if operation in _SHIFTS and not by_register and not 0 <= insn.imm < bits:
        raise Unshown("a shift by more bits than there are")
    if operation in (_DIV, _MOD):
        if not by_register and insn.imm == 0:
            raise Unshown("a division by 0")
        _unknown(right, bits)
        return _unknown(left, bits)
    if isinstance(left, Number) and isinstance(right, Number):
        return computed(operation, left, right, bits)
    if bits == 32:
        raise Unshown("arithmetic of 32 bits on a pointer")
    return _moved(operation, left, right)


def _read(content: Content) -> Number | Pointer:
    if content is None:
        raise Unshown("a register is read that nobody wrote")
    return content


def _unknown(operand: Number | Pointer, bits: int) -> Number:
    if isinstance(operand, Pointer):
        raise Unshown("arithmetic on a pointer")
    return of_bits(bits)


def _copied(insn: Instruction, source: Number | Pointer, bits: int) -> Content:
    if insn.off:  # a sign is extended
        return _unknown(source, bits)
    if bits == 64:
        return source
    return lower_half(source) if isinstance(source, Number) else of_bits(64)


def _moved(operation: int, left: Number | Pointer, right: Number | Pointer) -> Content:
    """Returns the pointer that is moved by a number, or the distance of two pointers, which is any number."""
    if ANYTHING in (left, right):
        raise Unshown("arithmetic on what is not known")
    if isinstance(left, Pointer) and isinstance(right, Pointer):
        if operation != _SUB or left.maybe or right.maybe:
            raise Unshown("arithmetic on two pointers")
        return ANY
    pointer, number = (left, right) if isinstance(left, Pointer) else (right, left)
    assert isinstance(pointer, Pointer)
    assert isinstance(number, Number)
    if operation not in (_ADD, _SUB) or pointer.maybe or pointer.kind is Kind.MAP:
        raise Unshown("arithmetic on a pointer")
    if operation == _SUB and (pointer is right or pointer.kind is Kind.STACK or not number.known):
        raise Unshown("a pointer is moved backwards by what is not known, or on the stack")
    signed = number.low - (1 << 64) if number.known and number.low >> 63 else number.low
    spread = 0 if number.known else number.high - number.low
    if spread and pointer.kind is not Kind.VALUE:
        raise Unshown("a pointer to anything but a map's value is moved by what is not known")
    off = pointer.off + (signed if operation == _ADD else -signed)
    spread += pointer.spread
    if max(abs(signed), abs(off) + spread, number.high if not number.known else 0) >= FAR:
        raise Unshown("a pointer is moved far away")
    return pointer._replace(off=off, spread=spread)
