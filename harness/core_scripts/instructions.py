# SPDX-License-Identifier: MIT
"""Arithmetic, byte order and jumps on values that only the trigger knows, so that no engine can fold them away."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain, product

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import MAGIC, array, element, on_our_prctl, prctl, probed, read_u64, u32, u64
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R6, R7, R8, R9, Piece, ldx, mov64_imm, stx
from harness.isa.instruction import Instruction
from harness.script.operations import (
    Close,
    LoadProgram,
    Operation,
    Program,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
)

Binary = Callable[[int, int], Instruction]
Comparison = Callable[[int, int, int], Piece]

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
COMPARISONS: tuple[Comparison, ...] = (
    asm.jeq_reg,
    asm.jne_reg,
    asm.jgt_reg,
    asm.jge_reg,
    asm.jsgt_reg,
    asm.jsge_reg,
)
PAIRS = ((MAGIC, 13), ((1 << 64) - 1, 7), (1 << 63, 31))


PACKET = bytes(256)
SIGNS = tuple(product((0, 1, (1 << 63) - 1, 1 << 63, (1 << 64) - 1), repeat=2))


def scripts(registers: PtRegs) -> tuple[Script, ...]:
    ways = (
        ("", "", partial(_on_probe, registers)),
        ("filter-", ", in a socket filter", _in_filter),
        ("verdict-", ", in socket filters that call nothing", _in_verdicts),
    )
    return (
        *(
            Script(f"{prefix}{name}", f"{sentence}{suffix}", run(pieces, arguments))
            for prefix, suffix, run in ways
            for name, sentence, pieces, arguments in _subjects()
        ),
        _verdict_cuts(),
    )


def _subjects() -> Iterator[tuple[str, str, Sequence[Piece], Sequence[tuple[int, ...]]]]:
    """Yields name, sentence, pieces that change R7 (and may use R8), and the values of R7 and R8 before."""
    yield "arithmetic-64", "64 bit operations on two registers", _applied(ALU64), PAIRS
    yield "arithmetic-32", "32 bit operations clear the upper half", _applied(ALU32), PAIRS
    yield "division", "division and remainder, unsigned", _applied(DIVISION), PAIRS
    for number, division in enumerate(DIVISION):
        sentence = "dividing by a register that holds 0"
        yield f"division-by-zero-{number}", sentence, _applied((division,)), ((MAGIC, 0),)
    conversions = [convert(R7, bits) for convert in (asm.le, asm.be) for bits in (16, 32, 64)]
    yield "byte-order", "conversions to and from big and little endian", conversions, ((MAGIC, 0),)
    yield "comparisons", "signed and unsigned jumps on values around the sign bit", [_which_hold(COMPARISONS)], SIGNS
    yield "bit-test", "the jump on a common bit", [_which_hold((asm.jset_reg,))], SIGNS


def _verdict_cuts() -> Script:
    code = asm.program(element("seen"), mov64_imm(R7, 5), stx(DW, R0, 0, R7), mov64_imm(R0, 3), asm.exit_())
    return Script(
        "socket-filter",
        "a program as a socket filter: it stores into a map, and its verdict cuts the packet",
        (
            array("seen"),
            LoadProgram("filter", ProgramType.SOCKET_FILTER, code),
            RunSocketFilter(Ref("filter"), b"0123456789"),
            read_u64("seen"),
        ),
    )


def _on_probe(
    registers: PtRegs, pieces: Sequence[Piece], arguments: Sequence[tuple[int, ...]]
) -> tuple[Operation, ...]:
    """Returns the operations of a program on a kprobe, which finds R7 and R8 in the arguments of the script's prctl;
    its R7 is read from a map."""
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
    return (
        array("results", entries=len(pieces)),
        *probed(on_our_prctl(registers, body, mov64_imm(R0, 0))),
        *chain.from_iterable([prctl(*values), *_results(pieces)] for values in arguments),
    )


def _in_filter(pieces: Sequence[Piece], arguments: Sequence[tuple[int, ...]]) -> tuple[Operation, ...]:
    """Returns the same in a socket filter, which every kernel runs; it finds R7 and R8 in another map."""
    body = [
        (
            element("arguments", 0),
            ldx(DW, R7, R0, 0),
            element("arguments", 1),
            ldx(DW, R8, R0, 0),
            piece,
            element("results", number),
            stx(DW, R0, 0, R7),
        )
        for number, piece in enumerate(pieces)
    ]
    return (
        array("arguments", entries=2),
        array("results", entries=len(pieces)),
        LoadProgram("filter", ProgramType.SOCKET_FILTER, asm.program(body, mov64_imm(R0, 1), asm.exit_())),
        *chain.from_iterable(
            [
                *(UpdateElement(Ref("arguments"), u32(key), u64(value)) for key, value in enumerate(values)),
                RunSocketFilter(Ref("filter"), b"packet"),
                *_results(pieces),
            ]
            for values in arguments
        ),
    )


def _in_verdicts(pieces: Sequence[Piece], arguments: Sequence[tuple[int, ...]]) -> tuple[Operation, ...]:
    """Returns the same without maps: a program for each byte of each result, which it returns to cut a packet of 256
    bytes.

    This is for the JIT of 4.1 on arm64, where a program that passes its stack to a helper is broken (see known.toml).
    """
    return tuple(
        step
        for number, (values, piece) in enumerate(product(arguments, pieces))
        for shift in range(0, 64, 8)
        for step in (
            LoadProgram(f"filter {number}.{shift}", ProgramType.SOCKET_FILTER, _byte_of(piece, values, shift)),
            RunSocketFilter(Ref(f"filter {number}.{shift}"), PACKET),
            Close(Ref(f"filter {number}.{shift}")),
        )
    )


def _byte_of(piece: Piece, values: tuple[int, ...], shift: int) -> Program:
    return asm.program(
        asm.ld_imm64(R7, values[0]),
        asm.ld_imm64(R8, values[1]),
        piece,
        asm.mov64_reg(R0, R7),
        asm.rsh64_imm(R0, shift),
        asm.and64_imm(R0, 0xFF),
        asm.exit_(),
    )


def _results(pieces: Sequence[Piece]) -> list[Operation]:
    return [read_u64("results", number) for number in range(len(pieces))]


def _applied(operations: Sequence[Binary]) -> list[Piece]:
    return [operation(R7, R8) for operation in operations]


def _which_hold(comparisons: Sequence[Comparison]) -> tuple[Piece, ...]:
    """Makes R7 a number with one bit for every comparison of R7 with R8 that holds."""
    return (
        mov64_imm(R9, 0),
        *((jump(R7, R8, 1), asm.ja(1), asm.or64_imm(R9, 1 << bit)) for bit, jump in enumerate(comparisons)),
        asm.mov64_reg(R7, R9),
    )
