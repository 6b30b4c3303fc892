# SPDX-License-Identifier: MIT
"""Programs written in Python: one small function for each instruction, and `program`, which puts them together.

    program(
        ldx(DW, R2, R1, 112),
        jeq_imm(R2, 0, "out"),
        ld_map(R1, "counter"),
        ...
        "out",
        mov64_imm(R0, 0),
        exit_(),
    )

A string is a label; a jump's target is a label, or a distance in instructions from the one that follows. Nothing is
checked beyond what fits into the fields: a script must be able to say what a kernel has to refuse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Alu, Class, Jump, Mode, Pseudo, Size, Source
from harness.isa.opcodes import R0 as R0
from harness.isa.opcodes import R1 as R1
from harness.isa.opcodes import R2 as R2
from harness.isa.opcodes import R3 as R3
from harness.isa.opcodes import R4 as R4
from harness.isa.opcodes import R5 as R5
from harness.isa.opcodes import R6 as R6
from harness.isa.opcodes import R7 as R7
from harness.isa.opcodes import R8 as R8
from harness.isa.opcodes import R9 as R9
from harness.isa.opcodes import R10 as R10
from harness.isa.opcodes import Atomic as Atomic
from harness.isa.opcodes import Helper as Helper
from harness.isa.table import find
from harness.script.operations import Program, Ref
from hil.errors import UserError

B, H, W, DW = Size.B, Size.H, Size.W, Size.DW


@dataclass(frozen=True)
class LabelledJump:
    """A jump whose distance `program` sets, once it knows where the label is."""

    instruction: Instruction
    label: str


@dataclass(frozen=True)
class MapLoad:
    """The two instructions that load the map `name` of the script."""

    dst: int
    name: str


@dataclass(frozen=True)
class Function:
    """The beginning of a function of which the kernel is told; its name is a label, too."""

    name: str


Target = str | int
Piece = Instruction | LabelledJump | MapLoad | Function | str | Iterable["Piece"]
"""What `program` takes: an instruction, a labelled jump, a map, a label, a function, or any nesting of these."""


def program(*pieces: Piece) -> Program:
    """Flattens `pieces`; raises UserError naming a label that is missing or defined twice."""
    instructions: list[Instruction] = []
    maps: list[tuple[int, Ref]] = []
    functions: list[tuple[int, str]] = []
    labels: dict[str, int] = {}
    waiting: list[tuple[int, str]] = []

    def add(piece: Piece) -> None:
        match piece:
            case Instruction():
                instructions.append(piece)
            case str():
                if piece in labels:
                    raise UserError(f"label {piece} is defined twice")
                labels[piece] = len(instructions)
            case Function(name):
                functions.append((len(instructions), name))
                add(name)
            case LabelledJump():
                waiting.append((len(instructions), piece.label))
                instructions.append(piece.instruction)
            case MapLoad():
                maps.append((len(instructions), Ref(piece.name)))
                instructions.extend(ld_map_fd(piece.dst, 0))
            case _:
                for inner in piece:
                    add(inner)

    add(pieces)
    for index, label in waiting:
        if label not in labels:
            raise UserError(f"instruction {index} jumps to label {label}, which is not defined")
        instructions[index] = aim(instructions[index], labels[label] - index - 1)
    return Program(tuple(instructions), tuple(maps), tuple(functions))


def aim(jump: Instruction, distance: int) -> Instruction:
    """Returns `jump` with its distance: `off`, but `imm` of a gotol or of a call of the program's own function."""
    opcode = find(jump)
    far = opcode is not None and opcode.name in ("gotol", "call_local")
    return replace(jump, imm=distance) if far else replace(jump, off=distance)


def _to(target: Target, jump: Instruction) -> Instruction | LabelledJump:
    return LabelledJump(jump, target) if isinstance(target, str) else aim(jump, target)


def _imm(kind: Class, operation: Alu) -> Callable[[int, int], Instruction]:
    def build(dst: int, imm: int) -> Instruction:
        return Instruction(kind | operation | Source.K, dst, imm=imm)

    return build


def _reg(kind: Class, operation: Alu, off: int = 0) -> Callable[[int, int], Instruction]:
    def build(dst: int, src: int) -> Instruction:
        return Instruction(kind | operation | Source.X, dst, src, off)

    return build


def _unary(code: int) -> Callable[[int], Instruction]:
    def build(dst: int) -> Instruction:
        return Instruction(code, dst)

    return build


def _end(code: int) -> Callable[[int, int], Instruction]:
    def build(dst: int, bits: int) -> Instruction:
        return Instruction(code, dst, imm=bits)

    return build


def _if_imm(kind: Class, comparison: Jump) -> Callable[[int, int, Target], Instruction | LabelledJump]:
    def build(dst: int, imm: int, target: Target) -> Instruction | LabelledJump:
        return _to(target, Instruction(kind | comparison | Source.K, dst, imm=imm))

    return build


def _if_reg(kind: Class, comparison: Jump) -> Callable[[int, int, Target], Instruction | LabelledJump]:
    def build(dst: int, src: int, target: Target) -> Instruction | LabelledJump:
        return _to(target, Instruction(kind | comparison | Source.X, dst, src))

    return build


add64_imm, add64_reg = _imm(Class.ALU64, Alu.ADD), _reg(Class.ALU64, Alu.ADD)
sub64_imm, sub64_reg = _imm(Class.ALU64, Alu.SUB), _reg(Class.ALU64, Alu.SUB)
mul64_imm, mul64_reg = _imm(Class.ALU64, Alu.MUL), _reg(Class.ALU64, Alu.MUL)
div64_imm, div64_reg = _imm(Class.ALU64, Alu.DIV), _reg(Class.ALU64, Alu.DIV)
or64_imm, or64_reg = _imm(Class.ALU64, Alu.OR), _reg(Class.ALU64, Alu.OR)
and64_imm, and64_reg = _imm(Class.ALU64, Alu.AND), _reg(Class.ALU64, Alu.AND)
lsh64_imm, lsh64_reg = _imm(Class.ALU64, Alu.LSH), _reg(Class.ALU64, Alu.LSH)
rsh64_imm, rsh64_reg = _imm(Class.ALU64, Alu.RSH), _reg(Class.ALU64, Alu.RSH)
mod64_imm, mod64_reg = _imm(Class.ALU64, Alu.MOD), _reg(Class.ALU64, Alu.MOD)
xor64_imm, xor64_reg = _imm(Class.ALU64, Alu.XOR), _reg(Class.ALU64, Alu.XOR)
mov64_imm, mov64_reg = _imm(Class.ALU64, Alu.MOV), _reg(Class.ALU64, Alu.MOV)
arsh64_imm, arsh64_reg = _imm(Class.ALU64, Alu.ARSH), _reg(Class.ALU64, Alu.ARSH)
neg64 = _unary(Class.ALU64 | Alu.NEG)

add32_imm, add32_reg = _imm(Class.ALU, Alu.ADD), _reg(Class.ALU, Alu.ADD)
sub32_imm, sub32_reg = _imm(Class.ALU, Alu.SUB), _reg(Class.ALU, Alu.SUB)
mul32_imm, mul32_reg = _imm(Class.ALU, Alu.MUL), _reg(Class.ALU, Alu.MUL)
div32_imm, div32_reg = _imm(Class.ALU, Alu.DIV), _reg(Class.ALU, Alu.DIV)
or32_imm, or32_reg = _imm(Class.ALU, Alu.OR), _reg(Class.ALU, Alu.OR)
and32_imm, and32_reg = _imm(Class.ALU, Alu.AND), _reg(Class.ALU, Alu.AND)
lsh32_imm, lsh32_reg = _imm(Class.ALU, Alu.LSH), _reg(Class.ALU, Alu.LSH)
rsh32_imm, rsh32_reg = _imm(Class.ALU, Alu.RSH), _reg(Class.ALU, Alu.RSH)
mod32_imm, mod32_reg = _imm(Class.ALU, Alu.MOD), _reg(Class.ALU, Alu.MOD)
xor32_imm, xor32_reg = _imm(Class.ALU, Alu.XOR), _reg(Class.ALU, Alu.XOR)
mov32_imm, mov32_reg = _imm(Class.ALU, Alu.MOV), _reg(Class.ALU, Alu.MOV)
arsh32_imm, arsh32_reg = _imm(Class.ALU, Alu.ARSH), _reg(Class.ALU, Alu.ARSH)
neg32 = _unary(Class.ALU | Alu.NEG)

movsx64_8, movsx64_16 = _reg(Class.ALU64, Alu.MOV, 8), _reg(Class.ALU64, Alu.MOV, 16)
movsx64_32 = _reg(Class.ALU64, Alu.MOV, 32)
movsx32_8, movsx32_16 = _reg(Class.ALU, Alu.MOV, 8), _reg(Class.ALU, Alu.MOV, 16)
sdiv64_reg, smod64_reg = _reg(Class.ALU64, Alu.DIV, 1), _reg(Class.ALU64, Alu.MOD, 1)
sdiv32_reg, smod32_reg = _reg(Class.ALU, Alu.DIV, 1), _reg(Class.ALU, Alu.MOD, 1)

le = _end(Class.ALU | Alu.END | Source.K)
be = _end(Class.ALU | Alu.END | Source.X)
bswap = _end(Class.ALU64 | Alu.END | Source.K)

jeq_imm, jeq_reg = _if_imm(Class.JMP, Jump.JEQ), _if_reg(Class.JMP, Jump.JEQ)
jgt_imm, jgt_reg = _if_imm(Class.JMP, Jump.JGT), _if_reg(Class.JMP, Jump.JGT)
jge_imm, jge_reg = _if_imm(Class.JMP, Jump.JGE), _if_reg(Class.JMP, Jump.JGE)
jset_imm, jset_reg = _if_imm(Class.JMP, Jump.JSET), _if_reg(Class.JMP, Jump.JSET)
jne_imm, jne_reg = _if_imm(Class.JMP, Jump.JNE), _if_reg(Class.JMP, Jump.JNE)
jsgt_imm, jsgt_reg = _if_imm(Class.JMP, Jump.JSGT), _if_reg(Class.JMP, Jump.JSGT)
jsge_imm, jsge_reg = _if_imm(Class.JMP, Jump.JSGE), _if_reg(Class.JMP, Jump.JSGE)
jlt_imm, jlt_reg = _if_imm(Class.JMP, Jump.JLT), _if_reg(Class.JMP, Jump.JLT)
jle_imm, jle_reg = _if_imm(Class.JMP, Jump.JLE), _if_reg(Class.JMP, Jump.JLE)
jslt_imm, jslt_reg = _if_imm(Class.JMP, Jump.JSLT), _if_reg(Class.JMP, Jump.JSLT)
jsle_imm, jsle_reg = _if_imm(Class.JMP, Jump.JSLE), _if_reg(Class.JMP, Jump.JSLE)

jeq32_imm, jeq32_reg = _if_imm(Class.JMP32, Jump.JEQ), _if_reg(Class.JMP32, Jump.JEQ)
jgt32_imm, jgt32_reg = _if_imm(Class.JMP32, Jump.JGT), _if_reg(Class.JMP32, Jump.JGT)
jge32_imm, jge32_reg = _if_imm(Class.JMP32, Jump.JGE), _if_reg(Class.JMP32, Jump.JGE)
jset32_imm, jset32_reg = _if_imm(Class.JMP32, Jump.JSET), _if_reg(Class.JMP32, Jump.JSET)
jne32_imm, jne32_reg = _if_imm(Class.JMP32, Jump.JNE), _if_reg(Class.JMP32, Jump.JNE)
jsgt32_imm, jsgt32_reg = _if_imm(Class.JMP32, Jump.JSGT), _if_reg(Class.JMP32, Jump.JSGT)
jsge32_imm, jsge32_reg = _if_imm(Class.JMP32, Jump.JSGE), _if_reg(Class.JMP32, Jump.JSGE)
jlt32_imm, jlt32_reg = _if_imm(Class.JMP32, Jump.JLT), _if_reg(Class.JMP32, Jump.JLT)
jle32_imm, jle32_reg = _if_imm(Class.JMP32, Jump.JLE), _if_reg(Class.JMP32, Jump.JLE)
jslt32_imm, jslt32_reg = _if_imm(Class.JMP32, Jump.JSLT), _if_reg(Class.JMP32, Jump.JSLT)
jsle32_imm, jsle32_reg = _if_imm(Class.JMP32, Jump.JSLE), _if_reg(Class.JMP32, Jump.JSLE)


def ja(target: Target) -> Instruction | LabelledJump:
    """`goto`"""
    return _to(target, Instruction(Class.JMP | Jump.JA))


def gotol(target: Target) -> Instruction | LabelledJump:
    """`goto` with a distance of 32 bits, since 6.6"""
    return _to(target, Instruction(Class.JMP32 | Jump.JA))


def call(helper: Helper | int) -> Instruction:
    """Calls a kernel helper."""
    return Instruction(Class.JMP | Jump.CALL, imm=helper)


def call_local(target: Target) -> Instruction | LabelledJump:
    """Calls a function of the same program, since 4.16."""
    return _to(target, Instruction(Class.JMP | Jump.CALL, src=1))


def exit_() -> Instruction:
    """Ends the program (or the function) with R0."""
    return Instruction(Class.JMP | Jump.EXIT)


def ldx(size: Size, dst: int, src: int, off: int) -> Instruction:
    """`dst = *(size *)(src + off)`"""
    return Instruction(Class.LDX | Mode.MEM | size, dst, src, off)


def ldxsx(size: Size, dst: int, src: int, off: int) -> Instruction:
    """Loads as `ldx` with sign extension, since 6.6."""
    return Instruction(Class.LDX | Mode.MEMSX | size, dst, src, off)


def st(size: Size, dst: int, off: int, imm: int) -> Instruction:
    """`*(size *)(dst + off) = imm`"""
    return Instruction(Class.ST | Mode.MEM | size, dst, 0, off, imm)


def stx(size: Size, dst: int, off: int, src: int) -> Instruction:
    """`*(size *)(dst + off) = src`"""
    return Instruction(Class.STX | Mode.MEM | size, dst, src, off)


def xadd(size: Size, dst: int, off: int, src: int) -> Instruction:
    """`lock *(size *)(dst + off) += src`"""
    return atomic(size, Atomic.ADD, dst, off, src)


def atomic(size: Size, operation: int, dst: int, off: int, src: int) -> Instruction:
    """An atomic operation of `Atomic`, possibly with FETCH; only ADD without FETCH before 5.12."""
    return Instruction(Class.STX | Mode.ATOMIC | size, dst, src, off, operation)


def load_acquire(size: Size, dst: int, src: int, off: int) -> Instruction:
    """A load with acquire ordering, since 6.15: no later access is reordered before it."""
    return atomic(size, Atomic.LOAD_ACQUIRE, dst, off, src)


def store_release(size: Size, dst: int, off: int, src: int) -> Instruction:
    """A store with release ordering, since 6.15: no earlier access is reordered after it."""
    return atomic(size, Atomic.STORE_RELEASE, dst, off, src)


def ld_abs(size: Size, imm: int) -> Instruction:
    """`R0 = packet[imm]` in socket filters; needs the context in R6, clobbers R1 to R5."""
    return Instruction(Class.LD | Mode.ABS | size, imm=imm)


def ld_ind(size: Size, src: int, imm: int) -> Instruction:
    """`R0 = packet[src + imm]`"""
    return Instruction(Class.LD | Mode.IND | size, src=src, imm=imm)


def ld_imm64(dst: int, value: int) -> tuple[Instruction, Instruction]:
    """Loads a 64 bit constant, signed or unsigned; raises UserError when it does not fit."""
    if not -(1 << 63) <= value < 1 << 64:
        raise UserError(f"constant {value} does not fit into 64 bits")
    return Instruction(LD_IMM64, dst, imm=_half(value)), Instruction(0, imm=_half(value >> 32))


def ld_map_fd(dst: int, fd: int) -> tuple[Instruction, Instruction]:
    """Loads the map behind a plain number as descriptor, for error paths."""
    return Instruction(LD_IMM64, dst, Pseudo.MAP_FD, imm=fd), Instruction(0)


def ld_map(dst: int, name: str) -> MapLoad:
    """Loads the map that the script created under `name`."""
    return MapLoad(dst, name)


def _half(value: int) -> int:
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
