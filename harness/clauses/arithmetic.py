"""What instructions compute, on operands that only the running program knows.

A socket filter reads its operands from a map and stores the result into another, so these hold also where there are no
kprobes. Results are written down here, not computed.
"""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import holds
from harness.essentials.parts import array, element, u32, u64
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R7, R8, R9, Piece, exit_, ldx, mov64_imm, program, stx
from harness.script.clause import FIRST, NOTHING, Clause, Said, Step, expect
from harness.script.needs import Need
from harness.script.operations import FilterPacket, LoadProgram, Operation, ProgramType, Ref, UpdateElement

X = 0x1122_3344_5566_7788
TOP = 1 << 63
ALL = (1 << 64) - 1
LOW = (1 << 32) - 1
_PACKET = b"longer than there are rows"
Row = tuple[int, int, int]
"""Two operands and the result."""

BINARY: tuple[tuple[str, str, Piece, tuple[Row, ...]], ...] = (
    ("RUN-02.add", "addition", asm.add64_reg(R7, R8), ((X, 1, 0x1122_3344_5566_7789), (ALL, 2, 1), (TOP, TOP, 0))),
    ("RUN-02.sub", "subtraction", asm.sub64_reg(R7, R8), ((X, X, 0), (0, 1, ALL), (TOP, 1, TOP - 1))),
    ("RUN-02.mul", "multiplication",
     asm.mul64_reg(R7, R8), ((LOW, LOW, 0xFFFF_FFFE_0000_0001), (TOP, 2, 0), (ALL, ALL, 1))),
    ("RUN-02.or", "or", asm.or64_reg(R7, R8), ((X, 0xFF, 0x1122_3344_5566_77FF), (TOP, 1, TOP + 1))),
    ("RUN-02.and", "and", asm.and64_reg(R7, R8), ((X, 0xFF, 0x88), (X, TOP, 0))),
    ("RUN-02.xor", "exclusive or", asm.xor64_reg(R7, R8), ((X, X, 0), (X, ALL, 0xEEDD_CCBB_AA99_8877))),
    ("RUN-02.constant", "constants are extended with their sign",
     asm.add64_imm(R7, -1), ((0, 0, ALL), (1 << 32, 0, LOW))),
    ("RUN-03.add", "32 bit operations clear the upper half",
     asm.add32_reg(R7, R8), ((ALL, 1, 0), (X, 0, 0x5566_7788), (LOW, LOW, 0xFFFF_FFFE))),
    ("RUN-03.sub", "32 bit subtraction", asm.sub32_reg(R7, R8), ((0, 1, LOW), (X, X, 0))),
    ("RUN-03.mul", "32 bit multiplication", asm.mul32_reg(R7, R8), ((LOW, LOW, 1), (1 << 32, 5, 0))),
    ("RUN-03.xor", "32 bit exclusive or", asm.xor32_reg(R7, R8), ((X, 0, 0x5566_7788), (ALL, LOW, 0))),
    ("RUN-03.and", "32 bit and", asm.and32_reg(R7, R8), ((ALL, ALL, LOW), (X, TOP, 0))),
    ("RUN-04.mov64", "a move", asm.mov64_reg(R7, R8), ((0, X, X), (0, ALL, ALL))),
    ("RUN-04.mov32", "a 32 bit move", asm.mov32_reg(R7, R8), ((0, X, 0x5566_7788), (ALL, ALL, LOW))),
    ("RUN-04.constant64", "a constant is extended with its sign", asm.mov64_imm(R7, -2), ((0, 0, ALL - 1),)),
    ("RUN-04.constant32", "a 32 bit constant is not", asm.mov32_imm(R7, -2), ((0, 0, LOW - 1),)),
    ("RUN-05.div", "division is unsigned", asm.div64_reg(R7, R8), ((100, 7, 14), (ALL, 2, TOP - 1), (TOP, ALL, 0))),
    ("RUN-05.mod", "so is the remainder", asm.mod64_reg(R7, R8), ((100, 7, 2), (ALL, 10, 5), (TOP, ALL, TOP))),
    ("RUN-06.div", "32 bit division", asm.div32_reg(R7, R8), ((X, 0x10, 0x0556_6778), ((1 << 32) + 100, 7, 14))),
    ("RUN-06.mod", "32 bit remainder", asm.mod32_reg(R7, R8), (((1 << 32) + 100, 7, 2), (ALL, 0x10, 0xF))),
    ("RUN-07.div", "a negative constant is a huge divisor", asm.div64_imm(R7, -1), ((ALL, 0, 1), (X, 0, 0))),
    ("RUN-07.mod", "also for the remainder", asm.mod64_imm(R7, -1), ((ALL, 0, 0), (X, 0, X))),
    ("RUN-08.lsh", "a shift to the left",
     asm.lsh64_reg(R7, R8), ((1, 63, TOP), (X, 4, 0x1223_3445_5667_7880), (X, 0, X))),
    ("RUN-08.rsh", "to the right, with zeros", asm.rsh64_reg(R7, R8), ((TOP, 63, 1), (X, 4, 0x0112_2334_4556_6778))),
    ("RUN-09.lsh", "32 bits to the left", asm.lsh32_reg(R7, R8), ((LOW, 4, 0xFFFF_FFF0), (X, 31, 0))),
    ("RUN-09.rsh", "32 bits to the right", asm.rsh32_reg(R7, R8), ((ALL, 28, 0xF), (X, 4, 0x0556_6778))),
    ("RUN-10.arsh", "to the right, with the sign",
     asm.arsh64_reg(R7, R8), ((TOP, 63, ALL), (X, 4, 0x0112_2334_4556_6778), (ALL, 1, ALL))),
    ("RUN-10.constant", "by a constant", asm.arsh64_imm(R7, 60), ((TOP, 0, ALL - 7), (TOP - 1, 0, 7))),
    ("RUN-11.neg64", "negation", asm.neg64(R7), ((1, 0, ALL), (0, 0, 0), (TOP, 0, TOP))),
    ("RUN-11.neg32", "32 bit negation", asm.neg32(R7), ((1, 0, LOW), (1 << 32, 0, 0))),
    ("RUN-12.16", "to little endian: the low part", asm.le(R7, 16), ((X, 0, 0x7788),)),
    ("RUN-12.32", "to little endian: the low half", asm.le(R7, 32), ((X, 0, 0x5566_7788),)),
    ("RUN-12.64", "to little endian: everything", asm.le(R7, 64), ((X, 0, X),)),
    ("RUN-13.16", "to big endian: 2 bytes swapped", asm.be(R7, 16), ((X, 0, 0x8877),)),
    ("RUN-13.32", "to big endian: 4 bytes swapped", asm.be(R7, 32), ((X, 0, 0x8877_6655),)),
    ("RUN-13.64", "to big endian: 8 bytes swapped", asm.be(R7, 64), ((X, 0, 0x8877_6655_4433_2211),)),
    ("RUN-19", "a constant of 64 bits", asm.ld_imm64(R7, 0x8000_0001_FFFF_FFFE), ((0, 0, 0x8000_0001_FFFF_FFFE),)),
)  # fmt: skip

JUMPS: tuple[tuple[str, str, Piece, tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]], ...] = (
    ("RUN-14.jeq", "equal", asm.jeq_reg(R7, R8, 1), ((X, X),), ((X, X + (1 << 32)), (0, TOP))),
    ("RUN-14.jne", "not equal", asm.jne_reg(R7, R8, 1), ((X, X + (1 << 32)),), ((X, X),)),
    ("RUN-14.jgt", "greater, unsigned", asm.jgt_reg(R7, R8, 1), ((TOP, 1), (ALL, TOP)), ((1, 1), (1, TOP))),
    ("RUN-14.jge", "not less, unsigned", asm.jge_reg(R7, R8, 1), ((TOP, 1), (1, 1)), ((1, TOP),)),
    ("RUN-14.jset", "a bit in common", asm.jset_reg(R7, R8, 1), ((TOP, ALL), (3, 2)), ((1, 2), (TOP, 1))),
    ("RUN-14.constant", "greater than -1, which is the greatest number",
     asm.jgt_imm(R7, -1, 1), (), ((ALL, 0), (LOW, 0))),
    ("RUN-14.jeq-constant", "equal to -1 in 64 bits", asm.jeq_imm(R7, -1, 1), ((ALL, 0),), ((LOW, 0),)),
    ("RUN-15.jsgt", "greater, signed", asm.jsgt_reg(R7, R8, 1), ((1, TOP), (0, ALL)), ((TOP, 1), (1, 1))),
    ("RUN-15.jsge", "not less, signed", asm.jsge_reg(R7, R8, 1), ((1, TOP), (1, 1)), ((ALL, 0),)),
    ("RUN-15.constant", "greater than -1, signed", asm.jsgt_imm(R7, -1, 1), ((0, 0),), ((ALL, 0), (TOP, 0))),
)  # fmt: skip


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    jumps = ((id, f"a jump if {text}", told(jump), rows(*pairs)) for id, text, jump, *pairs in JUMPS)
    return (
        *(make(*row) for row in (*BINARY, *jumps) for make in (computes, _on_constants)),
        *(_by_zero(*row) for row in _BY_ZERO),
        _by_zero(
            "BASE-03",
            "only the low half of a 32 bit divisor counts (4.1's JIT for x86_64 tests all of it, and faults)",
            asm.div32_reg(R7, R8),
            1 << 32,
            0,
            Need.DIVISOR,
        ),
        *(
            Clause(
                f"RUN-21.{verdict:#x}",
                "a verdict has 32 bits: so many bytes of the packet arrive",
                (
                    LoadProgram("filter", ProgramType.SOCKET_FILTER, program(asm.ld_imm64(R0, verdict), exit_())),
                    expect(FilterPacket(Ref("filter"), b"0123456789"), arrives),
                ),
                NOTHING,
            )
            for verdict, arrives in ((0, 0), (3, 3), (10, 10), (LOW, 10), (1 << 32, 0), ((1 << 32) + 4, 4))
        ),
    )


_BY_ZERO: tuple[tuple[str, str, Piece, int, int], ...] = (
    ("RUN-05.div-zero", "dividing by 0 ends the program in 4.1, and gives 0 later", asm.div64_reg(R7, R8), 0, 0),
    ("RUN-05.mod-zero", "the remainder is the dividend later", asm.mod64_reg(R7, R8), 0, X),
    ("RUN-06.div-zero", "the same with 32 bits", asm.div32_reg(R7, R8), 0, 0),
    ("RUN-06.mod-zero", "whose remainder is the dividend's low half", asm.mod32_reg(R7, R8), 0, 0x5566_7788),
)


def _by_zero(id: str, sentence: str, operation: Piece, divisor: int, later: int, *needs: Need) -> Clause:
    """In 4.1 nothing is stored, and a program that ends with 0 drops the packet; which is also what befalls a program
    that does not find its operands."""
    return Clause(
        id, sentence, (*_made(operation), *_round(X, divisor, 99, {"5.10": later}, 0)), frozenset({Need.STACK, *needs})
    )


def computes(id: str, sentence: str, operation: Piece, rows: tuple[Row, ...], since: str = FIRST) -> Clause:
    """`operation` makes of R7 and R8 what the rows say, in R7."""
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
        f"{sentence}, on constants",
        (
            LoadProgram("judge", ProgramType.SOCKET_FILTER, program(*checks, mov64_imm(R0, len(_PACKET)), exit_())),
            expect(FilterPacket(Ref("judge"), _PACKET), len(_PACKET)),
        ),
        NOTHING,
        until="4.1",
    )


def told(jump: Piece) -> Piece:
    """R7 becomes 1 where the jump is taken, else 0."""
    return mov64_imm(R9, 1), jump, mov64_imm(R9, 0), asm.mov64_reg(R7, R9)


def rows(taken: tuple[tuple[int, int], ...], passed: tuple[tuple[int, int], ...]) -> tuple[Row, ...]:
    """Operands with which a jump is `told` to be taken, and others."""
    return (*((left, right, 1) for left, right in taken), *((left, right, 0) for left, right in passed))


def _made(operation: Piece) -> tuple[Operation, ...]:
    """Two operands go to R7 and R8; what `operation` leaves in R7 goes to "result"."""
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
        expect(FilterPacket(Ref("filter"), b"packet"), verdict, rows),
        holds("result", result, later or {}),
    )
