# SPDX-License-Identifier: MIT
"""Random pieces that take the numbers of pointers apart.

A pointer's number is not known, but its alignment is, and the half of the address space it is in; and what is cut out
of it and taken off it again leaves zeros. Such pieces end with what is known.
"""

from __future__ import annotations

from harness.fuzz.draw import NUMBERS_AT, SCRATCH, Draw, opcodes
from harness.isa.assemble import (
    DW,
    R10,
    B,
    H,
    LabelledJump,
    Piece,
    W,
    and64_imm,
    ja,
    jgt_imm,
    ldx,
    lsh64_imm,
    mov32_reg,
    mov64_imm,
    mov64_reg,
    rsh64_imm,
    st,
    stx,
    sub64_reg,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump, Source

ALIGNED = 7
"""The low bits that are 0 in the frame pointer and in the address of a value."""
MOST_TAKEN = (1 << 29) - 1
"""The most that a verifier allows to be subtracted from a pointer: BPF_MAX_VAR_OFF, include/linux/bpf_verifier.h."""
_EQUALITIES = (Jump.JEQ, Jump.JNE, Jump.JSET)


def part(draw: Draw) -> Piece:
    """A pointer is stored in any size, and what is known of its lowest or highest byte loaded."""
    base, held, result = draw.registers(3)
    size = draw.random.choice((B, B, H, W, DW))
    highest = size is DW and draw.random.random() < 0.3
    source, get = draw.random.choice(((R10, ()), (base, ()), (held, mov64_reg(held, base))))
    return (
        ldx(DW, base, R10, NUMBERS_AT),
        get,
        stx(size, base, SCRATCH, source),
        ldx(B, result, base, SCRATCH + (7 if highest else 0)),
        rsh64_imm(result, 7) if highest else and64_imm(result, ALIGNED),
        draw.renew(base, held),
    )


def part_on_stack(draw: Draw, place: int) -> Piece:
    """The same on the stack, where 4.1 alone lets the frame pointer be stored like a number."""
    result, number = draw.registers(2)
    size = draw.random.choice((B, B, H, W, DW))
    loads = (stx(size, R10, place, R10), ldx(B, result, R10, place), and64_imm(result, ALIGNED))
    return (loads, stx(DW, R10, place, number))


def cut(draw: Draw) -> Piece:
    """A pointer goes through memory, low bits are cut out of it there and taken off it, and what is left compared."""
    pointer, low, rest, mark = draw.registers(4)
    bits, out = draw.random.choice((8, 16, 32, 32)), draw.label()
    return (
        ldx(DW, pointer, R10, NUMBERS_AT),
        stx(DW, pointer, SCRATCH, pointer),
        ldx(DW, low, pointer, SCRATCH),
        _low_bits(draw, low, bits),
        mov64_imm(mark, draw.imm()),
        jgt_imm(low, MOST_TAKEN, out) if bits == 32 else (),
        mov64_reg(rest, pointer),
        sub64_reg(rest, low),
        _sides(draw, rest, mark, bits),
        out,
        st(DW, pointer, SCRATCH, 0),
        draw.renew(pointer, low, rest),
    )


def _low_bits(draw: Draw, register: int, bits: int) -> Piece:
    if bits < 32:
        return and64_imm(register, (1 << bits) - 1)
    if draw.random.random() < 0.3:
        return mov32_reg(register, register)
    return (lsh64_imm(register, 32), rsh64_imm(register, 32))


def _sides(draw: Draw, rest: int, mark: int, bits: int) -> Piece:
    """A comparison of what is left, each side with a mark of its own."""
    there, end = draw.label(), draw.label()
    if draw.random.random() < 0.6:
        kinds = {opcode.opcode_class for opcode in opcodes(draw.around.rules.release, Class.JMP, Class.JMP32)}
        comparison = Jump.JSET if bits < 32 else draw.random.choice(_EQUALITIES)
        imm = (1 << bits) - 1 if bits < 32 else -1 if comparison == Jump.JSET else 0
        jump = Instruction(max(kinds) | comparison | Source.K, rest, imm=imm)
    else:
        having = opcodes(draw.around.rules.release, Class.JMP, Class.JMP32)
        opcode = draw.random.choice([one for one in having if one.source == Source.K])
        jump = Instruction(opcode.code, rest, imm=draw.random.choice((0, 1, ALIGNED, draw.imm())))
    other = (mov64_imm(mark, draw.imm()), ja(end))
    return (LabelledJump(jump, there), other, there, mov64_imm(mark, draw.imm()), end)
