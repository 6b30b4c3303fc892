"""Arithmetic, byte order and jumps on values that only the trigger knows, so that no engine can fold them away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain

from harness.abi.pt_regs import PtRegs
from harness.essentials.parts import MAGIC, array, element, on_our_prctl, prctl, probed, read_u64
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R6, R7, R8, Piece, ldx, mov64_imm, stx
from harness.isa.instruction import Instruction
from harness.script.operations import FilterPacket, LoadProgram, Operation, ProgramType, Ref, Script

Binary = Callable[[int, int], Instruction]

ALU64: tuple[Binary, ...] = (
    asm.add64_reg,
    asm.sub64_reg,
    asm.mul64_reg,
    asm.or64_reg,
    asm.and64_reg,
    asm.xor64_reg,
    asm.lsh64_reg,
    asm.rsh64_reg,
    asm.arsh64_reg,
)
ALU32: tuple[Binary, ...] = (
    asm.add32_reg,
    asm.sub32_reg,
    asm.mul32_reg,
    asm.or32_reg,
    asm.and32_reg,
    asm.xor32_reg,
    asm.mov32_reg,
    asm.lsh32_reg,
    asm.rsh32_reg,
)
DIVISION: tuple[Binary, ...] = (asm.div64_reg, asm.mod64_reg, asm.div32_reg, asm.mod32_reg)
PAIRS = ((MAGIC, 13), ((1 << 64) - 1, 7), (1 << 63, 31))


def scripts(registers: PtRegs) -> tuple[Script, ...]:
    return (
        Script("arithmetic-64", "64 bit operations on two registers", _arithmetic(registers, ALU64, PAIRS)),
        Script("arithmetic-32", "32 bit operations clear the upper half", _arithmetic(registers, ALU32, PAIRS)),
        Script("division", "division and remainder, unsigned", _arithmetic(registers, DIVISION, PAIRS)),
        *(
            Script(
                f"division-by-zero-{number}",
                "dividing by a register that holds 0",
                _arithmetic(registers, (division,), ((MAGIC, 0),)),
            )
            for number, division in enumerate(DIVISION)
        ),
        Script(
            "byte-order",
            "conversions to and from big and little endian",
            _stored(registers, [convert(R7, bits) for convert in (asm.le, asm.be) for bits in (16, 32, 64)], MAGIC),
        ),
        Script(
            "comparisons",
            "signed and unsigned jumps on values around the sign bit",
            _stored(registers, [_which_jumps(a) for a in (0, 1, -1)], 0, 1, (1 << 64) - 1),
        ),
        Script(
            "socket-filter",
            "a program as a socket filter: it stores into a map, and its verdict cuts the packet",
            (
                array("seen"),
                LoadProgram(
                    "filter",
                    ProgramType.SOCKET_FILTER,
                    asm.program(element("seen"), mov64_imm(R7, 5), stx(DW, R0, 0, R7), mov64_imm(R0, 3), asm.exit_()),
                ),
                FilterPacket(Ref("filter"), b"0123456789"),
                read_u64("seen"),
            ),
        ),
    )


def _arithmetic(
    registers: PtRegs, operations: Sequence[Binary], pairs: Sequence[tuple[int, int]]
) -> tuple[Operation, ...]:
    """Every operation on every pair, which our prctl passes; results are read back from a map after each pair."""
    body = [
        (
            ldx(DW, R7, R6, registers.argument(1)),
            ldx(DW, R8, R6, registers.argument(2)),
            operation(R7, R8),
            element("results", number),
            stx(DW, R0, 0, R7),
        )
        for number, operation in enumerate(operations)
    ]
    results: tuple[Operation, ...] = tuple(read_u64("results", number) for number in range(len(operations)))
    return (
        array("results", entries=len(operations)),
        *probed(on_our_prctl(registers, body, mov64_imm(R0, 0))),
        *chain.from_iterable([prctl(*pair), *results] for pair in pairs),
    )


def _stored(registers: PtRegs, pieces: Sequence[Piece], *values: int) -> tuple[Operation, ...]:
    """Each piece changes R7, which holds the second argument of our prctl; what it leaves is read back from a map."""
    body = [
        (ldx(DW, R7, R6, registers.argument(1)), piece, element("results", number), stx(DW, R0, 0, R7))
        for number, piece in enumerate(pieces)
    ]
    results: tuple[Operation, ...] = tuple(read_u64("results", number) for number in range(len(pieces)))
    return (
        array("results", entries=len(pieces)),
        *probed(on_our_prctl(registers, body, mov64_imm(R0, 0))),
        *chain.from_iterable([prctl(value), *results] for value in values),
    )


def _which_jumps(constant: int) -> tuple[Piece, ...]:
    """R7 becomes a number with one bit for every comparison of R7 with `constant` that holds."""
    jumps = (asm.jeq_imm, asm.jne_imm, asm.jgt_imm, asm.jge_imm, asm.jset_imm, asm.jsgt_imm, asm.jsge_imm)
    return (
        mov64_imm(R8, 0),
        *((jump(R7, constant, 1), asm.ja(1), asm.or64_imm(R8, 1 << bit)) for bit, jump in enumerate(jumps)),
        asm.mov64_reg(R7, R8),
    )
