# SPDX-License-Identifier: MIT
"""Arithmetic: kernel/bpf/core.c, __bpf_prog_run(), labels ALU_* and ALU64_*.

Registers have 64 bits. The 32 bit forms work on the low halves and clear the high half of the result. A constant is
sign-extended to the operation's width.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator

from harness.isa.instruction import Instruction
from harness.model.eras import Era
from harness.model.rules import DivisionByZero, LongShift
from harness.model.signed import arithmetic_shift, sign_extend
from harness.model.state import Handler, State, Undefined
from harness.model.tnum import signed64
from harness.model.value import M32, M64, Value, exactly, number, partial

Operation = Callable[[Value, Value], Value]

_OPERATIONS: dict[str, Operation] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "or": operator.or_,
    "and": operator.and_,
    "xor": operator.xor,
    "mov": lambda _, operand: operand,
}


def arithmetic(era: Era) -> Iterator[tuple[str, Handler]]:
    """Yields the name and the function of every arithmetic opcode, by the era's rules."""
    for name, operation in _OPERATIONS.items():
        yield f"{name}64_reg", _register64(operation)
        yield f"{name}64_imm", _constant64(operation)
        yield f"{name}32_reg", _register32(operation)
        yield f"{name}32_imm", _constant32(operation)
    for bits, mask in ((64, M64), (32, M32)):
        yield from _shifts(era, bits, mask)
        yield from _divisions(era, bits, mask)
        yield from _signed_divisions(bits, mask)
        yield f"neg{bits}", _negate(mask)
        for width in (8, 16, 32):
            yield f"movsx{bits}_{width}", _move_extended(width, mask)
    yield "le", little_endian
    yield "be", big_endian
    yield "bswap", big_endian


def _register64(operation: Operation) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        registers = state.registers
        registers[instruction.dst] = operation(registers[instruction.dst], registers[instruction.src]) & M64

    return execute


def _constant64(operation: Operation) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        registers = state.registers
        registers[instruction.dst] = operation(registers[instruction.dst], instruction.imm & M64) & M64

    return execute


def _register32(operation: Operation) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        registers = state.registers
        registers[instruction.dst] = operation(registers[instruction.dst] & M32, registers[instruction.src] & M32) & M32

    return execute


def _constant32(operation: Operation) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        registers = state.registers
        registers[instruction.dst] = operation(registers[instruction.dst] & M32, instruction.imm & M32) & M32

    return execute


def _both(name: str, mask: int, execute: Callable[[State, int, Value], Value | None]) -> Iterator[tuple[str, Handler]]:
    """Yields the register and the constant form of an operation that does more than compute."""

    def register(state: State, instruction: Instruction) -> Value | None:
        return execute(state, instruction.dst, state.registers[instruction.src] & mask)

    def constant(state: State, instruction: Instruction) -> Value | None:
        return execute(state, instruction.dst, instruction.imm & mask)

    yield f"{name}_reg", register
    yield f"{name}_imm", constant


# Shifts ----------------------------------------------------------------------------------------------------------


def _shifts(era: Era, bits: int, mask: int) -> Iterator[tuple[str, Handler]]:
    count_of = _COUNTS[era.long_shift]

    def left(state: State, dst: int, count: Value) -> None:
        state.registers[dst] = ((state.registers[dst] & mask) << count_of(count, bits)) & mask

    def right(state: State, dst: int, count: Value) -> None:
        state.registers[dst] = (state.registers[dst] & mask) >> count_of(count, bits)

    def right_signed(state: State, dst: int, count: Value) -> None:
        state.registers[dst] = arithmetic_shift(state.registers[dst], count_of(count, bits), bits)

    yield from _both(f"lsh{bits}", mask, left)
    yield from _both(f"rsh{bits}", mask, right)
    yield from _both(f"arsh{bits}", mask, right_signed)


def _count_undefined(count: Value, bits: int) -> Value:
    if count >= bits:
        raise Undefined(f"a shift of {bits} bits by {exactly(count)} is undefined")
    return count


def _count_modulo(count: Value, bits: int) -> Value:
    return count & (bits - 1)


_COUNTS = {LongShift.UNDEFINED: _count_undefined, LongShift.MODULO: _count_modulo}


# Divisions -------------------------------------------------------------------------------------------------------


def _divisions(era: Era, bits: int, mask: int) -> Iterator[tuple[str, Handler]]:
    ends = era.division_by_zero is DivisionByZero.ENDS_PROGRAM

    def divide(state: State, dst: int, divisor: Value) -> Value | None:
        if divisor == 0:
            if ends:
                return 0
            state.registers[dst] = 0
        else:
            state.registers[dst] = (state.registers[dst] & mask) // divisor
        return None

    def remainder(state: State, dst: int, divisor: Value) -> Value | None:
        if divisor == 0:
            if ends:
                return 0
            state.registers[dst] = state.registers[dst] & mask
        else:
            state.registers[dst] = (state.registers[dst] & mask) % divisor
        return None

    yield from _both(f"div{bits}", mask, divide)
    yield from _both(f"mod{bits}", mask, remainder)


def _signed_divisions(bits: int, mask: int) -> Iterator[tuple[str, Handler]]:
    """Yields signed divisions, since 6.6; quotients are truncated towards zero, remainders have the dividend's sign."""

    def operands(state: State, dst: int, divisor: Value) -> tuple[int, int]:
        dividend = exactly(sign_extend(state.registers[dst], bits))
        return signed64(dividend), signed64(exactly(sign_extend(divisor, bits)))

    def divide(state: State, dst: int, divisor: Value) -> None:
        if divisor == 0:
            state.registers[dst] = 0
            return
        left, right = operands(state, dst, divisor)
        quotient = abs(left) // abs(right)
        state.registers[dst] = (quotient if (left < 0) == (right < 0) else -quotient) & mask

    def remainder(state: State, dst: int, divisor: Value) -> None:
        if divisor == 0:
            state.registers[dst] = state.registers[dst] & mask
            return
        left, right = operands(state, dst, divisor)
        rest = abs(left) % abs(right)
        state.registers[dst] = (-rest if left < 0 else rest) & mask

    yield from _both(f"sdiv{bits}", mask, divide)
    yield from _both(f"smod{bits}", mask, remainder)


# One operand -----------------------------------------------------------------------------------------------------


def _negate(mask: int) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        state.registers[instruction.dst] = (0 - state.registers[instruction.dst]) & mask

    return execute


def _move_extended(width: int, mask: int) -> Handler:
    def execute(state: State, instruction: Instruction) -> None:
        state.registers[instruction.dst] = sign_extend(state.registers[instruction.src], width) & mask

    return execute


_WIDTHS = (16, 32, 64)


def little_endian(state: State, instruction: Instruction) -> None:
    """Keeps, on a little-endian machine, the low 16, 32 or 64 bits. The interpreter leaves other widths alone."""
    if instruction.imm not in _WIDTHS:
        return
    state.registers[instruction.dst] = state.registers[instruction.dst] & ((1 << instruction.imm) - 1)


def big_endian(state: State, instruction: Instruction) -> None:
    """Keeps, on a little-endian machine, the low 16, 32 or 64 bits, with their bytes reversed. Other widths as
    above."""
    if instruction.imm not in _WIDTHS:
        return
    value, nbytes = state.registers[instruction.dst], instruction.imm // 8
    if isinstance(value, int):
        state.registers[instruction.dst] = _reversed(value, nbytes)
    else:
        known = number(value)
        state.registers[instruction.dst] = partial(
            _reversed(known.value, nbytes), _reversed(known.mask, nbytes), known.why
        )


def _reversed(value: int, nbytes: int) -> int:
    return int.from_bytes((value & ((1 << 8 * nbytes) - 1)).to_bytes(nbytes, "little"), "big")
