"""Arithmetic, byte order and jumps on values that only the trigger knows, so that no engine can fold them away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain, product

from harness.abi.pt_regs import PtRegs
from harness.essentials.parts import MAGIC, array, element, on_our_prctl, prctl, probed, read_u64
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R6, R7, R8, R9, Piece, ldx, mov64_imm, stx
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
        Script("arithmetic-64", "64 bit operations on two registers", _stored(registers, _on_pairs(ALU64), *PAIRS)),
        Script("arithmetic-32", "32 bit operations clear the upper half", _stored(registers, _on_pairs(ALU32), *PAIRS)),
        Script("division", "division and remainder, unsigned", _stored(registers, _on_pairs(DIVISION), *PAIRS)),
        *(
            Script(
                f"division-by-zero-{number}",
                "dividing by a register that holds 0",
                _stored(registers, _on_pairs((division,)), (MAGIC, 0)),
            )
            for number, division in enumerate(DIVISION)
        ),
        Script(
            "byte-order",
            "conversions to and from big and little endian",
            _stored(registers, [convert(R7, bits) for convert in (asm.le, asm.be) for bits in (16, 32, 64)], (MAGIC,)),
        ),
        Script(
            "comparisons",
            "signed and unsigned jumps on values around the sign bit",
            _stored(registers, [_which_jumps()], *product((0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1), repeat=2)),
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


def _stored(registers: PtRegs, pieces: Sequence[Piece], *arguments: tuple[int, ...]) -> tuple[Operation, ...]:
    """Each piece finds two arguments of our prctl in R7 and R8; what it leaves in R7 is read back from a map."""
    body = [
        (
            ldx(DW, R7, R6, registers.argument(1)),
            ldx(DW, R8, R6, registers.argument(2)),
            piece,
            element("results", number),
            stx(DW, R0, 0, R7),
        )
        for number, piece in enumerate(pieces)
    ]
    results: tuple[Operation, ...] = tuple(read_u64("results", number) for number in range(len(pieces)))
    return (
        array("results", entries=len(pieces)),
        *probed(on_our_prctl(registers, body, mov64_imm(R0, 0))),
        *chain.from_iterable([prctl(*values), *results] for values in arguments),
    )


def _on_pairs(operations: Sequence[Binary]) -> list[Piece]:
    return [operation(R7, R8) for operation in operations]


def _which_jumps() -> tuple[Piece, ...]:
    """R7 becomes a number with one bit for every comparison of R7 with R8 that holds."""
    jumps = (asm.jeq_reg, asm.jne_reg, asm.jgt_reg, asm.jge_reg, asm.jset_reg, asm.jsgt_reg, asm.jsge_reg)
    return (
        mov64_imm(R9, 0),
        *((jump(R7, R8, 1), asm.ja(1), asm.or64_imm(R9, 1 << bit)) for bit, jump in enumerate(jumps)),
        asm.mov64_reg(R7, R9),
    )
