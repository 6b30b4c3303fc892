"""Opcodes that came after 4.1: since when they are there, what must be right about them, and what they compute.

Sources: kernel/bpf/verifier.c and core.c of 5.10, 6.1, 6.12; Documentation/bpf/standardization/instruction-set.rst
(6.12).
"""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.arithmetic import ALL, LOW, TOP, Row, X, computes, rows, told
from harness.clauses.isa import RETURN, START, insn
from harness.clauses.verdicts import refused
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R2, R6, R7, R8, R10, Atomic, B, H, Piece, W, mov64_imm
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Size
from harness.script.clause import NOTHING, WORKS, Clause, Said
from harness.script.operations import ProgramType

CELL = -16
FETCH_ADD = Atomic.ADD | Atomic.FETCH
UPPER = ALL - LOW
"""The upper half."""


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return (
        *(
            _arrives(f"ISA-{number}.{variant}", sentence, since, *pieces)
            for number, sentence, since, variants in ARRIVALS
            for variant, pieces in variants.items()
        ),
        *(
            _wrong(f"ISA-{number}.{variant}", sentence, said, *pieces)
            for number, variant, sentence, said, pieces in WRONG
        ),
        *(computes(id, sentence, operation, rows, since) for id, sentence, since, operation, rows in COMPUTED),
        *(
            computes(id, f"a jump if {sentence}", told(jump), rows(*pairs), since)
            for id, sentence, since, jump, *pairs in COMPARED
        ),
    )


def _arrives(id: str, sentence: str, since: str, *pieces: Piece) -> Clause:
    """Before the era named the opcode, or its fields, are refused."""
    return _filter(id, f"{sentence} since {since}", "EINVAL", {since: WORKS}, *pieces)


def _wrong(id: str, sentence: str, said: dict[str, Said], *pieces: Piece) -> Clause:
    return _filter(id, sentence, "EINVAL", said, *pieces)


def _filter(id: str, sentence: str, errno: str, later: dict[str, Said], *pieces: Piece) -> Clause:
    begin = (asm.st(DW, R10, CELL, 0), *START)
    return refused(
        id, sentence, errno, "", *begin, *pieces, *RETURN, later=later, type=ProgramType.SOCKET_FILTER, needs=NOTHING
    )


def _atomic(size: Size, operation: int, src: int = R2) -> Instruction:
    return asm.atomic(size, operation, R10, CELL, src)


_JUMPS = (0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70, 0xA0, 0xB0, 0xC0, 0xD0)
ARRIVALS: tuple[tuple[int, str, str, dict[str, tuple[Piece, ...]]], ...] = (
    (40, "comparisons of 32 bits are there", "5.10", {
        **{f"{code | 6:02x}": (insn(code | 6, R2, imm=1),) for code in _JUMPS},
        **{f"{code | 14:02x}": (insn(code | 14, R2, R2),) for code in _JUMPS},
    }),
    (41, "atomic operations are there", "6.1", {
        f"{size.name.lower()}-{imm:02x}": (_atomic(size, imm),)
        for size in (W, DW) for imm in (0x01, 0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1)
    }),
    (42, "moves with sign extension are there", "6.12", {
        "64-8": (asm.movsx64_8(R2, R0),), "64-16": (asm.movsx64_16(R2, R0),), "64-32": (asm.movsx64_32(R2, R0),),
        "32-8": (asm.movsx32_8(R2, R0),), "32-16": (asm.movsx32_16(R2, R0),),
    }),
    (43, "signed divisions are there", "6.12", {
        f"{code:02x}": (insn(code, R2, R2 if code & 8 else 0, 1, 0 if code & 8 else 7),)
        for code in (0x34, 0x37, 0x3C, 0x3F, 0x94, 0x97, 0x9C, 0x9F)
    }),
    (44, "loads with sign extension are there", "6.12", {
        size.name.lower(): (asm.ldxsx(size, R2, R10, CELL),) for size in (B, H, W)
    }),
    (45, "unconditional byte swaps are there", "6.12", {str(bits): (asm.bswap(R2, bits),) for bits in (16, 32, 64)}),
    (47, "loads and stores with order are there", "7.2", {
        **{f"load-{size.name.lower()}": (asm.load_acquire(size, R2, R10, CELL),) for size in (B, H, W, DW)},
        **{f"store-{size.name.lower()}": (asm.store_release(size, R10, CELL, R2),) for size in (B, H, W, DW)},
    }),
)  # fmt: skip
"""A statement, the era it holds from, and its variants."""

EACCES: Said = "EACCES"
WRONG: tuple[tuple[int, str, str, dict[str, Said], tuple[Piece, ...]], ...] = (
    (40, "both", "a constant or a register, not both", {}, (insn(0x16, R2, R2, 0, 1),)),
    (40, "call", "no call of 32 bits", {}, (insn(0x86, imm=5),)),
    (40, "exit", "no exit of 32 bits", {}, (insn(0x96),)),
    (40, "unset", "what is compared was written", {"5.10": EACCES}, (asm.jeq32_imm(R6, 0, 0),)),
    (41, "10", "there is no atomic subtraction", {}, (_atomic(DW, 0x10),)),
    (41, "e0", "an exchange fetches", {}, (_atomic(DW, 0xE0),)),
    (41, "16-bits", "an atomic operation has 4 or 8 bytes", {}, (insn(0xCB, R10, R2, CELL, FETCH_ADD),)),
    (41, "fp", "nothing is fetched into R10", {"6.1": EACCES}, (_atomic(DW, FETCH_ADD, R10),)),
    (41, "unset", "what is added was written", {"6.1": EACCES}, (_atomic(DW, FETCH_ADD, R6),)),
    (41, "number", "a number is no address", {"6.1": EACCES}, (asm.atomic(DW, FETCH_ADD, R2, 0, R0),)),
    (42, "7", "nothing is extended from 7 bits", {}, (insn(0xBF, R2, R0, 7),)),
    (42, "32", "nor 32 bits to 32", {}, (insn(0xBC, R2, R0, 32),)),
    (42, "imm", "nor a constant", {}, (insn(0xB7, R2, 0, 8, 1),)),
    (43, "2", "there is one sort of signed division", {}, (insn(0x3F, R2, R2, 2),)),
    (43, "zero", "it does not divide by the constant 0", {}, (insn(0x37, R2, 0, 1, 0),)),
    (44, "dw", "64 bits need no sign extension", {}, (insn(0x99, R2, R10, CELL),)),
    (45, "8", "one byte is not swapped", {}, (asm.bswap(R2, 8),)),
    (45, "src", "a swap has no source", {}, (insn(0xD7, R2, R2, 0, 16),)),
    (47, "fp", "nothing is loaded into R10", {"7.2": EACCES}, (asm.load_acquire(DW, R10, R10, CELL),)),
)  # fmt: skip
"""What is refused, in 4.1 with EINVAL, and with which errno later."""


def _on_stack(operation: Piece, result: Piece) -> Piece:
    """R7 lies in memory while `operation` is carried out."""
    return (asm.stx(DW, R10, CELL, R7), operation, result)


_CELL, _OLD, _R0 = asm.ldx(DW, R7, R10, CELL), asm.mov64_reg(R7, R8), asm.mov64_reg(R7, R0)
_SAME, _OTHER = asm.mov64_reg(R0, R7), mov64_imm(R0, 77)


def _changes(size: Size, operation: int, result: Piece) -> Piece:
    return _on_stack(_atomic(size, operation, R8), result)


COMPUTED: tuple[tuple[str, str, str, Piece, tuple[Row, ...]], ...] = (
    ("ISA-50.reg", "32 bits to the right, with the sign", "5.10", asm.arsh32_reg(R7, R8),
     ((1 << 31, 31, LOW), (X, 4, 0x0556_6778), (UPPER + 8, 1, 4), (1 << 31, 32, 1 << 31))),
    ("ISA-50.imm", "also by a constant", "5.10", asm.arsh32_imm(R7, 4), ((1 << 31, 0, 0xF800_0000), (UPPER, 0, 0))),
    ("ISA-52.add", "an atomic addition fetches what was there", "6.1",
     _changes(DW, FETCH_ADD, _OLD), ((5, 7, 5), (X, ALL, X))),
    ("ISA-52.sum", "and leaves the sum", "6.1", _changes(DW, FETCH_ADD, _CELL), ((5, 7, 12), (1, ALL, 0))),
    ("ISA-52.or", "so does or", "6.1", _changes(DW, Atomic.OR, _CELL), ((X, 0xFF, 0x1122_3344_5566_77FF),)),
    ("ISA-52.and", "and", "6.1", _changes(DW, Atomic.AND | Atomic.FETCH, _CELL), ((X, 0xFF, 0x88),)),
    ("ISA-52.xor", "and exclusive or", "6.1",
     _changes(DW, Atomic.XOR | Atomic.FETCH, _CELL), ((X, ALL, 0xEEDD_CCBB_AA99_8877),)),
    ("ISA-53.old", "what 32 bits fetch has no upper half", "6.1", _changes(W, FETCH_ADD, _OLD), ((ALL, 1, LOW),)),
    ("ISA-53.cell", "nor do they touch the one in memory", "6.1",
     _changes(W, FETCH_ADD, _CELL), ((ALL, 1, UPPER), (X, 1 << 32, X))),
    ("ISA-54.old", "an exchange fetches", "6.1", _changes(DW, Atomic.XCHG, _OLD), ((5, X, 5),)),
    ("ISA-54.cell", "and stores", "6.1", _changes(DW, Atomic.XCHG, _CELL), ((5, X, X),)),
    ("ISA-55.equal", "what is as R0 is exchanged", "6.1", (_SAME, _changes(DW, Atomic.CMPXCHG, _CELL)), ((5, X, X),)),
    ("ISA-55.other", "what is not stays", "6.1", (_OTHER, _changes(DW, Atomic.CMPXCHG, _CELL)), ((5, X, 5),)),
    ("ISA-55.r0", "R0 is what was there", "6.1", (_OTHER, _changes(DW, Atomic.CMPXCHG, _R0)), ((5, X, 5),)),
    ("ISA-55.half", "of 32 bits R0 has no upper half", "6.1",
     (_SAME, _changes(W, Atomic.CMPXCHG, _R0)), ((ALL, 1, LOW),)),
    ("ISA-56.8", "8 bits with their sign", "6.12", asm.movsx64_8(R7, R8), ((0, 0x80, ALL - 0x7F), (0, X, ALL - 0x77))),
    ("ISA-56.16", "16 bits", "6.12", asm.movsx64_16(R7, R8), ((0, 0x8000, ALL - 0x7FFF), (0, X, 0x7788))),
    ("ISA-56.32", "32 bits", "6.12", asm.movsx64_32(R7, R8), ((0, 1 << 31, UPPER + (1 << 31)), (0, X, 0x5566_7788))),
    ("ISA-56.narrow", "into 32 bits", "6.12", asm.movsx32_8(R7, R8), ((ALL, 0x80, LOW - 0x7F), (ALL, 0x7F, 0x7F))),
    ("ISA-56.load", "a byte from memory", "6.12",
     _on_stack((), asm.ldxsx(B, R7, R10, CELL + 1)), ((0x8000, 0, ALL - 0x7F), (X, 0, 0x77))),
    ("ISA-57.div", "a quotient is cut towards 0", "6.12",
     asm.sdiv64_reg(R7, R8), ((ALL - 6, 2, ALL - 2), (7, ALL - 1, ALL - 2), (TOP, 1, TOP))),
    ("ISA-57.mod", "a remainder has the sign of the dividend", "6.12",
     asm.smod64_reg(R7, R8), ((ALL - 6, 2, ALL), (7, ALL - 1, 1))),
    ("ISA-57.div32", "also in 32 bits", "6.12", asm.sdiv32_reg(R7, R8), ((LOW - 6, 2, LOW - 2), (UPPER + 7, 2, 3))),
    ("ISA-57.zero", "by 0 it is 0", "6.12", asm.sdiv64_reg(R7, R8), ((X, 0, 0),)),
    ("ISA-57.rest", "and the rest the dividend", "6.12", asm.smod32_reg(R7, R8), ((X, 0, 0x5566_7788),)),
    ("ISA-57.least", "the least number by -1 is itself", "6.12", asm.sdiv64_reg(R7, R8), ((TOP, ALL, TOP),)),
    ("ISA-57.nothing", "and nothing is left of it", "6.12", asm.smod64_reg(R7, R8), ((TOP, ALL, 0),)),
    ("ISA-58.16", "2 bytes swapped", "6.12", asm.bswap(R7, 16), ((X, 0, 0x8877),)),
    ("ISA-58.32", "4 bytes swapped", "6.12", asm.bswap(R7, 32), ((X, 0, 0x8877_6655),)),
    ("ISA-58.64", "8 bytes swapped", "6.12", asm.bswap(R7, 64), ((X, 0, 0x8877_6655_4433_2211),)),
    ("ISA-46", "a far jump has its distance in the constant", "6.12",
     (asm.jeq_imm(R8, 0, 1), asm.gotol(1), mov64_imm(R7, 0)), ((5, 1, 5), (5, 0, 0))),
    ("ISA-59.load", "a load with order is a load", "7.2",
     _on_stack((), asm.load_acquire(H, R7, R10, CELL + 2)), ((X, 0, 0x5566),)),
    ("ISA-59.store", "a store with order is a store", "7.2",
     _on_stack(asm.store_release(W, R10, CELL, R8), _CELL), ((X, 1, 0x1122_3344_0000_0001),)),
)  # fmt: skip

Pairs = tuple[tuple[int, int], ...]
COMPARED: tuple[tuple[str, str, str, Piece, Pairs, Pairs], ...] = (
    ("ISA-09.jlt", "less, unsigned", "5.10", asm.jlt_reg(R7, R8, 1), ((1, TOP), (TOP, ALL)), ((1, 1), (TOP, 1))),
    ("ISA-09.jle", "not greater, unsigned", "5.10", asm.jle_reg(R7, R8, 1), ((1, TOP), (1, 1)), ((TOP, 1),)),
    ("ISA-09.jslt", "less, signed", "5.10", asm.jslt_reg(R7, R8, 1), ((TOP, 1), (ALL, 0)), ((1, 1), (0, ALL))),
    ("ISA-09.jsle", "not greater, signed", "5.10", asm.jsle_reg(R7, R8, 1), ((TOP, 1), (1, 1)), ((0, ALL),)),
    ("ISA-51.jeq", "32 bits are equal", "5.10", asm.jeq32_reg(R7, R8, 1), ((X, X + (1 << 32)),), ((X, X + 1),)),
    ("ISA-51.jne", "32 bits are not", "5.10", asm.jne32_reg(R7, R8, 1), ((X, X + 1),), ((X, X + (1 << 32)),)),
    ("ISA-51.jgt", "32 bits are greater", "5.10", asm.jgt32_reg(R7, R8, 1), ((LOW, 0),), ((1 << 32, 0), (1, 1))),
    ("ISA-51.jge", "32 bits are not less", "5.10", asm.jge32_reg(R7, R8, 1), ((1, 1 << 32), (1, 1)), ((0, 1),)),
    ("ISA-51.jlt", "32 bits are less", "5.10", asm.jlt32_reg(R7, R8, 1), ((1 << 32, 1),), ((LOW, 0),)),
    ("ISA-51.jle", "32 bits are not greater", "5.10", asm.jle32_reg(R7, R8, 1), ((1 << 32, 0),), ((LOW, 0),)),
    ("ISA-51.jset", "32 bits have one in common", "5.10", asm.jset32_reg(R7, R8, 1), ((3, 2),), ((UPPER, ALL - 1),)),
    ("ISA-51.jsgt", "32 bits are greater, signed", "5.10", asm.jsgt32_reg(R7, R8, 1), ((0, LOW),), ((LOW, 0),)),
    ("ISA-51.jsge", "32 bits are not less, signed", "5.10", asm.jsge32_reg(R7, R8, 1), ((0, LOW),), ((LOW, 0),)),
    ("ISA-51.jslt", "32 bits are less, signed", "5.10", asm.jslt32_reg(R7, R8, 1), ((LOW, 0),), ((0, LOW),)),
    ("ISA-51.jsle", "32 bits are not greater, signed", "5.10", asm.jsle32_reg(R7, R8, 1), ((LOW, 0),), ((0, LOW),)),
    ("ISA-51.imm", "32 bits are -1", "5.10", asm.jeq32_imm(R7, -1, 1), ((LOW, 0), (ALL, 0)), ((UPPER, 0),)),
)  # fmt: skip
