# SPDX-License-Identifier: MIT
"""The results of instructions, on operands that only the running program knows."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import holds
from harness.core_scripts.parts import array, element, u32, u64
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R7, R8, R9, Piece, exit_, ldx, mov64_imm, program, stx
from harness.script.clause import FIRST, NOTHING, Clause, Said, Step, expect
from harness.script.needs import Need
from harness.script.operations import LoadProgram, Operation, ProgramType, Ref, RunSocketFilter, UpdateElement

X = 0x1122_3344_5566_7788
TOP = 1 << 63
ALL = (1 << 64) - 1
LOW = (1 << 32) - 1
_PACKET = b"longer than there are rows"
Row = tuple[int, int, int]
"""Two operands and the result."""

BINARY: tuple[tuple[str, str, Piece, tuple[Row, ...]], ...] = (
    ("RUN-02.add", "64-bit addition wraps around",
     asm.add64_reg(R7, R8), ((X, 1, 0x1122_3344_5566_7789), (ALL, 2, 1), (TOP, TOP, 0))),
    ("RUN-02.sub", "64-bit subtraction wraps around",
     asm.sub64_reg(R7, R8), ((X, X, 0), (0, 1, ALL), (TOP, 1, TOP - 1))),
    ("RUN-02.mul", "64-bit multiplication keeps the low 64 bits",
     asm.mul64_reg(R7, R8), ((LOW, LOW, 0xFFFF_FFFE_0000_0001), (TOP, 2, 0), (ALL, ALL, 1))),
    ("RUN-02.or", "64-bit or sets the bits of either operand",
     asm.or64_reg(R7, R8), ((X, 0xFF, 0x1122_3344_5566_77FF), (TOP, 1, TOP + 1))),
    ("RUN-02.and", "64-bit and keeps the bits of both operands", asm.and64_reg(R7, R8), ((X, 0xFF, 0x88), (X, TOP, 0))),
    ("RUN-02.xor", "64-bit exclusive or keeps the bits that differ",
     asm.xor64_reg(R7, R8), ((X, X, 0), (X, ALL, 0xEEDD_CCBB_AA99_8877))),
    ("RUN-02.constant", "A constant operand of a 64-bit operation is sign-extended",
     asm.add64_imm(R7, -1), ((0, 0, ALL), (1 << 32, 0, LOW))),
    ("RUN-03.add", "32-bit addition clears the upper half of the register",
     asm.add32_reg(R7, R8), ((ALL, 1, 0), (X, 0, 0x5566_7788), (LOW, LOW, 0xFFFF_FFFE))),
    ("RUN-03.sub", "32-bit subtraction clears the upper half of the register",
     asm.sub32_reg(R7, R8), ((0, 1, LOW), (X, X, 0))),
    ("RUN-03.mul", "32-bit multiplication clears the upper half of the register",
     asm.mul32_reg(R7, R8), ((LOW, LOW, 1), (1 << 32, 5, 0))),
    ("RUN-03.branch", "32-bit addition on one of two paths that meet clears the upper half of the register",
     (asm.jeq_imm(R8, 1, 1), asm.ja(1), asm.add32_reg(R7, R8)), ((X, 1, 0x5566_7789), (X, 0, X))),
    ("RUN-03.branch-kept", "32-bit addition clears the upper half of the register that one of two paths overwrites",
     (asm.add32_reg(R7, R8), asm.jeq_imm(R8, 1, 1), asm.mov64_imm(R7, 5)), ((X, 1, 0x5566_7789), (X, 0, 5))),
    ("RUN-03.xor", "32-bit exclusive or clears the upper half of the register",
     asm.xor32_reg(R7, R8), ((X, 0, 0x5566_7788), (ALL, LOW, 0))),
    ("RUN-03.and", "32-bit and clears the upper half of the register",
     asm.and32_reg(R7, R8), ((ALL, ALL, LOW), (X, TOP, 0))),
    ("RUN-04.mov64", "A 64-bit move copies the whole register", asm.mov64_reg(R7, R8), ((0, X, X), (0, ALL, ALL))),
    ("RUN-04.mov32", "A 32-bit move copies the low half and clears the upper one",
     asm.mov32_reg(R7, R8), ((0, X, 0x5566_7788), (ALL, ALL, LOW))),
    ("RUN-04.constant64", "A 64-bit move of a constant sign-extends it", asm.mov64_imm(R7, -2), ((0, 0, ALL - 1),)),
    ("RUN-04.constant32", "A 32-bit move of a constant zero-extends it", asm.mov32_imm(R7, -2), ((0, 0, LOW - 1),)),
    ("RUN-05.div", "64-bit division is unsigned",
     asm.div64_reg(R7, R8), ((100, 7, 14), (ALL, 2, TOP - 1), (TOP, ALL, 0))),
    ("RUN-05.mod", "64-bit modulo is unsigned", asm.mod64_reg(R7, R8), ((100, 7, 2), (ALL, 10, 5), (TOP, ALL, TOP))),
    ("RUN-06.div", "32-bit division divides the low halves, unsigned",
     asm.div32_reg(R7, R8), ((X, 0x10, 0x0556_6778), ((1 << 32) + 100, 7, 14))),
    ("RUN-06.mod", "32-bit modulo takes the low halves, unsigned",
     asm.mod32_reg(R7, R8), (((1 << 32) + 100, 7, 2), (ALL, 0x10, 0xF))),
    ("RUN-07.div", "64-bit division by a negative constant divides by a huge number",
     asm.div64_imm(R7, -1), ((ALL, 0, 1), (X, 0, 0))),
    ("RUN-07.mod", "64-bit modulo by a negative constant takes a huge number",
     asm.mod64_imm(R7, -1), ((ALL, 0, 0), (X, 0, X))),
    ("RUN-08.lsh", "A 64-bit left shift fills up with zeros",
     asm.lsh64_reg(R7, R8), ((1, 63, TOP), (X, 4, 0x1223_3445_5667_7880), (X, 0, X))),
    ("RUN-08.rsh", "A 64-bit logical right shift fills up with zeros",
     asm.rsh64_reg(R7, R8), ((TOP, 63, 1), (X, 4, 0x0112_2334_4556_6778))),
    ("RUN-09.lsh", "A 32-bit left shift clears the upper half of the register",
     asm.lsh32_reg(R7, R8), ((LOW, 4, 0xFFFF_FFF0), (X, 31, 0))),
    ("RUN-09.rsh", "A 32-bit logical right shift clears the upper half of the register",
     asm.rsh32_reg(R7, R8), ((ALL, 28, 0xF), (X, 4, 0x0556_6778))),
    ("RUN-10.arsh", "A 64-bit arithmetic right shift fills up with the sign",
     asm.arsh64_reg(R7, R8), ((TOP, 63, ALL), (X, 4, 0x0112_2334_4556_6778), (ALL, 1, ALL))),
    ("RUN-10.constant", "A 64-bit arithmetic right shift by a constant fills up with the sign",
     asm.arsh64_imm(R7, 60), ((TOP, 0, ALL - 7), (TOP - 1, 0, 7))),
    ("RUN-11.neg64", "64-bit negation gives the two's complement",
     asm.neg64(R7), ((1, 0, ALL), (0, 0, 0), (TOP, 0, TOP))),
    ("RUN-11.neg32", "32-bit negation negates the low half and clears the upper one",
     asm.neg32(R7), ((1, 0, LOW), (1 << 32, 0, 0))),
    ("RUN-12.16", "A conversion to little endian of 16 bits keeps the low 16 bits", asm.le(R7, 16), ((X, 0, 0x7788),)),
    ("RUN-12.32", "A conversion to little endian of 32 bits keeps the low half",
     asm.le(R7, 32), ((X, 0, 0x5566_7788),)),
    ("RUN-12.64", "A conversion to little endian of 64 bits changes nothing", asm.le(R7, 64), ((X, 0, X),)),
    ("RUN-13.16", "A conversion to big endian of 16 bits swaps 2 bytes", asm.be(R7, 16), ((X, 0, 0x8877),)),
    ("RUN-13.32", "A conversion to big endian of 32 bits swaps 4 bytes", asm.be(R7, 32), ((X, 0, 0x8877_6655),)),
    ("RUN-13.64", "A conversion to big endian of 64 bits swaps 8 bytes",
     asm.be(R7, 64), ((X, 0, 0x8877_6655_4433_2211),)),
    ("RUN-19", "BPF_LD_IMM64 loads a constant of 64 bits",
     asm.ld_imm64(R7, 0x8000_0001_FFFF_FFFE), ((0, 0, 0x8000_0001_FFFF_FFFE),)),
)  # fmt: skip

JUMPS: tuple[tuple[str, str, Piece, tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]], ...] = (
    ("RUN-14.jeq", "JEQ jumps if the operands are equal in all 64 bits",
     asm.jeq_reg(R7, R8, 1), ((X, X),), ((X, X + (1 << 32)), (0, TOP))),
    ("RUN-14.jne", "JNE jumps if the operands differ in any of 64 bits",
     asm.jne_reg(R7, R8, 1), ((X, X + (1 << 32)),), ((X, X),)),
    ("RUN-14.jgt", "JGT jumps if the first operand is greater, unsigned",
     asm.jgt_reg(R7, R8, 1), ((TOP, 1), (ALL, TOP)), ((1, 1), (1, TOP))),
    ("RUN-14.jge", "JGE jumps if the first operand is greater or equal, unsigned",
     asm.jge_reg(R7, R8, 1), ((TOP, 1), (1, 1)), ((1, TOP),)),
    ("RUN-14.jset", "JSET jumps if the operands have a bit in common",
     asm.jset_reg(R7, R8, 1), ((TOP, ALL), (3, 2)), ((1, 2), (TOP, 1))),
    ("RUN-14.constant", "JGT with constant -1 never jumps: it is the greatest unsigned number",
     asm.jgt_imm(R7, -1, 1), (), ((ALL, 0), (LOW, 0))),
    ("RUN-14.jeq-constant", "JEQ with constant -1 compares all 64 bits with the sign-extended constant",
     asm.jeq_imm(R7, -1, 1), ((ALL, 0),), ((LOW, 0),)),
    ("RUN-15.jsgt", "JSGT jumps if the first operand is greater, signed",
     asm.jsgt_reg(R7, R8, 1), ((1, TOP), (0, ALL)), ((TOP, 1), (1, 1))),
    ("RUN-15.jsge", "JSGE jumps if the first operand is greater or equal, signed",
     asm.jsge_reg(R7, R8, 1), ((1, TOP), (1, 1)), ((ALL, 0),)),
    ("RUN-15.constant", "JSGT with constant -1 jumps for numbers that are not negative",
     asm.jsgt_imm(R7, -1, 1), ((0, 0),), ((ALL, 0), (TOP, 0))),
)  # fmt: skip


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    jumps = ((id, text, taken(jump), rows(*pairs)) for id, text, jump, *pairs in JUMPS)
    return (
        *(make(*row) for row in (*BINARY, *jumps) for make in (computes, _on_constants)),
        *(_by_zero(*row) for row in _BY_ZERO),
        _by_zero(
            "BASE-03",
            "32-bit division by a register whose low half is 0 divides by 0, whatever its upper half (4.1's JIT "
            "for x86_64 "
            "tests all of it, and faults)",
            asm.div32_reg(R7, R8),
            1 << 32,
            0,
            Need.DIVISOR,
        ),
        *(
            Clause(
                f"RUN-21.{verdict:#x}",
                f"A socket filter that returns {verdict:#x} lets {arrives} of 10 bytes through: only the low 32 "
                "bits count",
                (
                    LoadProgram("filter", ProgramType.SOCKET_FILTER, program(asm.ld_imm64(R0, verdict), exit_())),
                    expect(RunSocketFilter(Ref("filter"), b"0123456789"), arrives),
                ),
                NOTHING,
            )
            for verdict, arrives in ((0, 0), (3, 3), (10, 10), (LOW, 10), (1 << 32, 0), ((1 << 32) + 4, 4))
        ),
    )


_BY_ZERO: tuple[tuple[str, str, Piece, int, int], ...] = (
    (
        "RUN-05.div-zero",
        "64-bit division by 0 ends the program with 0 in 4.1, and gives 0 in later kernels",
        asm.div64_reg(R7, R8),
        0,
        0,
    ),
    (
        "RUN-05.mod-zero",
        "64-bit modulo by 0 ends the program with 0 in 4.1, and keeps the dividend in later kernels",
        asm.mod64_reg(R7, R8),
        0,
        X,
    ),
    (
        "RUN-06.div-zero",
        "32-bit division by 0 ends the program with 0 in 4.1, and gives 0 in later kernels",
        asm.div32_reg(R7, R8),
        0,
        0,
    ),
    (
        "RUN-06.mod-zero",
        "32-bit modulo by 0 ends the program with 0 in 4.1, and keeps the dividend's low half in later kernels",
        asm.mod32_reg(R7, R8),
        0,
        0x5566_7788,
    ),
)


def _by_zero(id: str, sentence: str, operation: Piece, divisor: int, later: int, *needs: Need) -> Clause:
    """Makes a clause about a division by 0. In 4.1 nothing is stored, and a program that ends with 0 drops the packet;
    so does a program that does not find its operands."""
    return Clause(
        id, sentence, (*_made(operation), *_round(X, divisor, 99, {"5.10": later}, 0)), frozenset({Need.STACK, *needs})
    )


def computes(id: str, sentence: str, operation: Piece, rows: tuple[Row, ...], since: str = FIRST) -> Clause:
    """Makes a clause: `operation` computes in R7 what the rows give for R7 and R8."""
    steps: list[Operation | Step] = [*_made(operation)]
    for left, right, result in rows:
        steps += _round(left, right, result)
    return Clause(id, sentence, tuple(steps), NOTHING, since)


def _on_constants(id: str, sentence: str, operation: Piece, rows: tuple[Row, ...]) -> Clause:
    """The program itself holds results against what is expected: so many bytes arrive as rows hold, or all of them.

    Without helpers and stack it is judged also where 4.1's JIT breaks these. Later verifiers know what such a program
    computes, and leave out what it need not do.
    """
    checks = [
        (
            mov64_imm(R0, held),
            asm.ld_imm64(R7, left),
            asm.ld_imm64(R8, right),
            operation,
            asm.ld_imm64(R9, result),
            asm.jeq_reg(R7, R9, 1),
            exit_(),
        )
        for held, (left, right, result) in enumerate(rows)
    ]
    return Clause(
        f"{id}{'-' if '.' in id else '.'}on-constants",
        f"{sentence}, also on constants that the verifier knows",
        (
            LoadProgram("judge", ProgramType.SOCKET_FILTER, program(*checks, mov64_imm(R0, len(_PACKET)), exit_())),
            expect(RunSocketFilter(Ref("judge"), _PACKET), len(_PACKET)),
        ),
        NOTHING,
        until="4.1",
    )


def taken(jump: Piece) -> Piece:
    """Sets R7 to 1 where the jump is taken, else to 0."""
    return mov64_imm(R9, 1), jump, mov64_imm(R9, 0), asm.mov64_reg(R7, R9)


def rows(taken: tuple[tuple[int, int], ...], passed: tuple[tuple[int, int], ...]) -> tuple[Row, ...]:
    """Returns the rows of a jump for `computes`: operands for which a jump is taken, and others for which it is
    not."""
    return (*((left, right, 1) for left, right in taken), *((left, right, 0) for left, right in passed))


def _made(operation: Piece) -> tuple[Operation, ...]:
    """Returns a program: two operands go to R7 and R8; R7 after `operation` goes to "result"."""
    code = program(
        (element("operands", 0), ldx(DW, R7, R0, 0)),
        (element("operands", 1), ldx(DW, R8, R0, 0)),
        operation,
        (element("result"), stx(DW, R0, 0, R7)),
        mov64_imm(R0, 1),
        exit_(),
    )
    return array("operands", entries=2), array("result"), LoadProgram("filter", ProgramType.SOCKET_FILTER, code)


def _round(
    left: int, right: int, result: int, later: dict[str, int] | None = None, verdict: int = 1
) -> tuple[Operation | Step, ...]:
    """One packet; before it the result is 99."""
    rows: dict[str, Said] = {} if verdict else {"5.10": 1}
    return (
        UpdateElement(Ref("operands"), u32(0), u64(left)),
        UpdateElement(Ref("operands"), u32(1), u64(right)),
        UpdateElement(Ref("result"), u32(0), u64(99)),
        expect(RunSocketFilter(Ref("filter"), b"packet"), verdict, rows),
        holds("result", result, later or {}),
    )
