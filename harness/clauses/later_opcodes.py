# SPDX-License-Identifier: MIT
"""Opcodes that came after 4.1: since when they are there, what must be right about them, and what they compute.

Sources: kernel/bpf/verifier.c and core.c of 5.10, 6.1, 6.12; Documentation/bpf/standardization/instruction-set.rst
(6.12).
"""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.arithmetic import ALL, LOW, TOP, Row, X, computes, rows, taken
from harness.clauses.isa import RETURN, START, insn
from harness.clauses.verdicts import refused
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R2, R6, R7, R8, R10, Atomic, B, H, Piece, W, mov64_imm
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Size, Source
from harness.isa.text import disassemble
from harness.script.clause import NOTHING, WORKS, Clause, Said
from harness.script.operations import ProgramType

CELL = -16
FETCH_ADD = Atomic.ADD | Atomic.FETCH
BEFORE = {"5.10": "4.1", "6.1": "5.10", "6.6": "6.1", "7.2": "6.12"}
UPPER = ALL - LOW
"""The upper half."""


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return (
        *(
            _arrives(f"ISA-{number}.{variant}", f"{what}, {disassemble(asm.program(*pieces)).strip()},", since, *pieces)
            for number, what, since, variants in ARRIVALS
            for variant, pieces in variants.items()
        ),
        *(
            _wrong(f"ISA-{number}.{variant}", sentence, said, *pieces)
            for number, variant, sentence, said, pieces in WRONG
        ),
        *(computes(id, sentence, operation, rows, since) for id, sentence, since, operation, rows in COMPUTED),
        *(computes(id, sentence, taken(jump), rows(*pairs), since) for id, sentence, since, jump, *pairs in COMPARED),
    )


def _arrives(id: str, what: str, since: str, *pieces: Piece) -> Clause:
    """Makes clauses: before the era that has it, the opcode, or its fields, are refused."""
    return _filter(id, f"{what} is accepted; up to {BEFORE[since]} it gives EINVAL", "EINVAL", {since: WORKS}, *pieces)


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
    (40, "A 32-bit jump", "5.10", {
        **{f"{code | 6:02x}": (insn(code | 6, R2, imm=1),) for code in _JUMPS},
        **{f"{code | 14:02x}": (insn(code | 14, R2, R2),) for code in _JUMPS},
    }),
    (41, "An atomic operation", "6.1", {
        f"{size.name.lower()}-{imm:02x}": (_atomic(size, imm),)
        for size in (W, DW) for imm in (0x01, 0x40, 0x41, 0x50, 0x51, 0xA0, 0xA1, 0xE1, 0xF1)
    }),
    (42, "A move with sign extension", "6.6", {
        "64-8": (asm.movsx64_8(R2, R0),), "64-16": (asm.movsx64_16(R2, R0),), "64-32": (asm.movsx64_32(R2, R0),),
        "32-8": (asm.movsx32_8(R2, R0),), "32-16": (asm.movsx32_16(R2, R0),),
    }),
    (43, "A signed division or modulo", "6.6", {
        f"{code:02x}": (insn(code, R2, R2 if code & Source.X else 0, 1, 0 if code & Source.X else 7),)
        for code in (0x34, 0x37, 0x3C, 0x3F, 0x94, 0x97, 0x9C, 0x9F)
    }),
    (44, "A load with sign extension", "6.6", {
        size.name.lower(): (asm.ldxsx(size, R2, R10, CELL),) for size in (B, H, W)
    }),
    (45, "An unconditional byte swap", "6.6", {str(bits): (asm.bswap(R2, bits),) for bits in (16, 32, 64)}),
    (47, "A load-acquire or store-release", "7.2", {
        **{f"load-{size.name.lower()}": (asm.load_acquire(size, R2, R10, CELL),) for size in (B, H, W, DW)},
        **{f"store-{size.name.lower()}": (asm.store_release(size, R10, CELL, R2),) for size in (B, H, W, DW)},
    }),
)  # fmt: skip
"""The new opcodes, the first era that has each, and its variants."""

EACCES: Said = "EACCES"
WRONG: tuple[tuple[int, str, str, dict[str, Said], tuple[Piece, ...]], ...] = (
    (40, "both", "A 32-bit jump with a constant and a register gives EINVAL", {}, (insn(0x16, R2, R2, 0, 1),)),
    (40, "call", "A call of class BPF_JMP32, opcode 86, gives EINVAL", {}, (insn(0x86, imm=5),)),
    (40, "exit", "An exit of class BPF_JMP32, opcode 96, gives EINVAL", {}, (insn(0x96),)),
    (40, "unset", "A 32-bit jump on a register that was never written gives EACCES; 4.1 gives EINVAL",
     {"5.10": EACCES}, (asm.jeq32_imm(R6, 0, 0),)),
    (41, "10", "An atomic subtraction gives EINVAL", {}, (_atomic(DW, 0x10),)),
    (41, "e0", "An atomic exchange without BPF_FETCH gives EINVAL", {}, (_atomic(DW, 0xE0),)),
    (41, "16-bits", "An atomic operation of 2 bytes gives EINVAL", {}, (insn(0xCB, R10, R2, CELL, FETCH_ADD),)),
    (41, "fp", "An atomic operation that fetches into R10 gives EACCES; up to 5.10 it gives EINVAL",
     {"6.1": EACCES}, (_atomic(DW, FETCH_ADD, R10),)),
    (41, "unset", "An atomic addition of a register that was never written gives EACCES; up to 5.10 it gives EINVAL",
     {"6.1": EACCES}, (_atomic(DW, FETCH_ADD, R6),)),
    (41, "number", "An atomic operation on a number instead of a pointer gives EACCES; up to 5.10 it gives EINVAL",
     {"6.1": EACCES}, (asm.atomic(DW, FETCH_ADD, R2, 0, R0),)),
    (42, "7", "A move with sign extension from 7 bits gives EINVAL", {}, (insn(0xBF, R2, R0, 7),)),
    (42, "32", "A 32-bit move with sign extension from 32 bits gives EINVAL", {}, (insn(0xBC, R2, R0, 32),)),
    (42, "imm", "A move of a constant with sign extension gives EINVAL", {}, (insn(0xB7, R2, 0, 8, 1),)),
    (43, "2", "A division with offset 2 gives EINVAL: offset 1 is the signed one", {}, (insn(0x3F, R2, R2, 2),)),
    (43, "zero", "A signed division by the constant 0 gives EINVAL", {}, (insn(0x37, R2, 0, 1, 0),)),
    (44, "dw", "A load of 8 bytes with sign extension gives EINVAL", {}, (insn(0x99, R2, R10, CELL),)),
    (45, "8", "An unconditional byte swap of 8 bits gives EINVAL", {}, (asm.bswap(R2, 8),)),
    (45, "src", "An unconditional byte swap with a source register gives EINVAL", {}, (insn(0xD7, R2, R2, 0, 16),)),
    (47, "fp", "A load-acquire into R10 gives EACCES; up to 6.12 it gives EINVAL",
     {"7.2": EACCES}, (asm.load_acquire(DW, R10, R10, CELL),)),
)  # fmt: skip
"""The refused programs, with EINVAL in 4.1, and with the errno of later eras."""


def _on_stack(operation: Piece, result: Piece) -> Piece:
    """Keeps R7 in memory while `operation` is carried out."""
    return (asm.stx(DW, R10, CELL, R7), operation, result)


_CELL, _OLD, _R0 = asm.ldx(DW, R7, R10, CELL), asm.mov64_reg(R7, R8), asm.mov64_reg(R7, R0)
_SAME, _OTHER = asm.mov64_reg(R0, R7), mov64_imm(R0, 77)


def _changes(size: Size, operation: int, result: Piece) -> Piece:
    return _on_stack(_atomic(size, operation, R8), result)


COMPUTED: tuple[tuple[str, str, str, Piece, tuple[Row, ...]], ...] = (
    ("ISA-50.reg", "A 32-bit arithmetic right shift fills up with bit 31 and clears the upper half",
     "5.10", asm.arsh32_reg(R7, R8),
     ((1 << 31, 31, LOW), (X, 4, 0x0556_6778), (UPPER + 8, 1, 4), (1 << 31, 32, 1 << 31))),
    ("ISA-50.imm", "A 32-bit arithmetic right shift by a constant fills up with bit 31 and clears the upper half",
     "5.10", asm.arsh32_imm(R7, 4), ((1 << 31, 0, 0xF800_0000), (UPPER, 0, 0))),
    ("ISA-52.add", "A fetching atomic addition returns what was in memory", "6.1",
     _changes(DW, FETCH_ADD, _OLD), ((5, 7, 5), (X, ALL, X))),
    ("ISA-52.sum", "A fetching atomic addition leaves the sum in memory",
     "6.1", _changes(DW, FETCH_ADD, _CELL), ((5, 7, 12), (1, ALL, 0))),
    ("ISA-52.or", "An atomic or leaves the result in memory",
     "6.1", _changes(DW, Atomic.OR, _CELL), ((X, 0xFF, 0x1122_3344_5566_77FF),)),
    ("ISA-52.and", "A fetching atomic and leaves the result in memory",
     "6.1", _changes(DW, Atomic.AND | Atomic.FETCH, _CELL), ((X, 0xFF, 0x88),)),
    ("ISA-52.xor", "A fetching atomic exclusive or leaves the result in memory", "6.1",
     _changes(DW, Atomic.XOR | Atomic.FETCH, _CELL), ((X, ALL, 0xEEDD_CCBB_AA99_8877),)),
    ("ISA-53.old", "A fetching 32-bit atomic addition clears the upper half of the register",
     "6.1", _changes(W, FETCH_ADD, _OLD), ((ALL, 1, LOW),)),
    ("ISA-53.cell", "A 32-bit atomic addition changes 4 bytes of memory only", "6.1",
     _changes(W, FETCH_ADD, _CELL), ((ALL, 1, UPPER), (X, 1 << 32, X))),
    ("ISA-54.old", "An atomic exchange returns what was in memory",
     "6.1", _changes(DW, Atomic.XCHG, _OLD), ((5, X, 5),)),
    ("ISA-54.cell", "An atomic exchange stores the register", "6.1", _changes(DW, Atomic.XCHG, _CELL), ((5, X, X),)),
    ("ISA-55.equal", "An atomic compare and exchange stores the register if memory equals R0",
     "6.1", (_SAME, _changes(DW, Atomic.CMPXCHG, _CELL)), ((5, X, X),)),
    ("ISA-55.other", "An atomic compare and exchange stores nothing if memory differs from R0",
     "6.1", (_OTHER, _changes(DW, Atomic.CMPXCHG, _CELL)), ((5, X, 5),)),
    ("ISA-55.r0", "An atomic compare and exchange leaves in R0 what was in memory",
     "6.1", (_OTHER, _changes(DW, Atomic.CMPXCHG, _R0)), ((5, X, 5),)),
    ("ISA-55.half", "A 32-bit atomic compare and exchange clears the upper half of R0", "6.1",
     (_SAME, _changes(W, Atomic.CMPXCHG, _R0)), ((ALL, 1, LOW),)),
    ("ISA-56.8", "A 64-bit move with sign extension from 8 bits fills up with bit 7",
     "6.6", asm.movsx64_8(R7, R8), ((0, 0x80, ALL - 0x7F), (0, X, ALL - 0x77))),
    ("ISA-56.16", "A 64-bit move with sign extension from 16 bits fills up with bit 15",
     "6.6", asm.movsx64_16(R7, R8), ((0, 0x8000, ALL - 0x7FFF), (0, X, 0x7788))),
    ("ISA-56.32", "A 64-bit move with sign extension from 32 bits fills up with bit 31",
     "6.6", asm.movsx64_32(R7, R8), ((0, 1 << 31, UPPER + (1 << 31)), (0, X, 0x5566_7788))),
    ("ISA-56.narrow", "A 32-bit move with sign extension from 8 bits clears the upper half",
     "6.6", asm.movsx32_8(R7, R8), ((ALL, 0x80, LOW - 0x7F), (ALL, 0x7F, 0x7F))),
    ("ISA-56.load", "A load of a byte with sign extension fills up with bit 7", "6.6",
     _on_stack((), asm.ldxsx(B, R7, R10, CELL + 1)), ((0x8000, 0, ALL - 0x7F), (X, 0, 0x77))),
    ("ISA-57.div", "Signed division rounds towards zero", "6.6",
     asm.sdiv64_reg(R7, R8), ((ALL - 6, 2, ALL - 2), (7, ALL - 1, ALL - 2), (TOP, 1, TOP))),
    ("ISA-57.mod", "Signed modulo has the sign of the dividend", "6.6",
     asm.smod64_reg(R7, R8), ((ALL - 6, 2, ALL), (7, ALL - 1, 1))),
    ("ISA-57.div32", "32-bit signed division rounds towards zero and clears the upper half",
     "6.6", asm.sdiv32_reg(R7, R8), ((LOW - 6, 2, LOW - 2), (UPPER + 7, 2, 3))),
    ("ISA-57.least32", "32-bit signed division of the least number by 2 gives half of it", "6.12",
     asm.sdiv32_reg(R7, R8), ((1 << 31, 2, 0xC000_0000),)),
    ("ISA-57.zero", "Signed division by 0 gives 0", "6.6", asm.sdiv64_reg(R7, R8), ((X, 0, 0),)),
    ("ISA-57.rest", "32-bit signed modulo by 0 keeps the dividend's low half",
     "6.6", asm.smod32_reg(R7, R8), ((X, 0, 0x5566_7788),)),
    ("ISA-57.least", "Signed division of the least number by -1 gives the least number",
     "6.6", asm.sdiv64_reg(R7, R8), ((TOP, ALL, TOP),)),
    ("ISA-57.nothing", "Signed modulo of the least number by -1 gives 0",
     "6.6", asm.smod64_reg(R7, R8), ((TOP, ALL, 0),)),
    ("ISA-58.16", "An unconditional byte swap of 16 bits swaps 2 bytes and clears the rest",
     "6.6", asm.bswap(R7, 16), ((X, 0, 0x8877),)),
    ("ISA-58.32", "An unconditional byte swap of 32 bits swaps 4 bytes and clears the rest",
     "6.6", asm.bswap(R7, 32), ((X, 0, 0x8877_6655),)),
    ("ISA-58.64", "An unconditional byte swap of 64 bits swaps 8 bytes",
     "6.6", asm.bswap(R7, 64), ((X, 0, 0x8877_6655_4433_2211),)),
    ("ISA-46", "A jump with a 32-bit distance takes it from its constant", "6.6",
     (asm.jeq_imm(R8, 0, 1), asm.gotol(1), mov64_imm(R7, 0)), ((5, 1, 5), (5, 0, 0))),
    ("ISA-59.load", "A load-acquire returns what is in memory", "7.2",
     _on_stack((), asm.load_acquire(H, R7, R10, CELL + 2)), ((X, 0, 0x5566),)),
    ("ISA-59.store", "A store-release stores the register", "7.2",
     _on_stack(asm.store_release(W, R10, CELL, R8), _CELL), ((X, 1, 0x1122_3344_0000_0001),)),
)  # fmt: skip

Pairs = tuple[tuple[int, int], ...]
COMPARED: tuple[tuple[str, str, str, Piece, Pairs, Pairs], ...] = (
    ("ISA-09.jlt", "JLT jumps if the first operand is less, unsigned",
     "5.10", asm.jlt_reg(R7, R8, 1), ((1, TOP), (TOP, ALL)), ((1, 1), (TOP, 1))),
    ("ISA-09.jle", "JLE jumps if the first operand is less or equal, unsigned",
     "5.10", asm.jle_reg(R7, R8, 1), ((1, TOP), (1, 1)), ((TOP, 1),)),
    ("ISA-09.jslt", "JSLT jumps if the first operand is less, signed",
     "5.10", asm.jslt_reg(R7, R8, 1), ((TOP, 1), (ALL, 0)), ((1, 1), (0, ALL))),
    ("ISA-09.jsle", "JSLE jumps if the first operand is less or equal, signed",
     "5.10", asm.jsle_reg(R7, R8, 1), ((TOP, 1), (1, 1)), ((0, ALL),)),
    ("ISA-51.jeq", "32-bit JEQ jumps if the low halves are equal",
     "5.10", asm.jeq32_reg(R7, R8, 1), ((X, X + (1 << 32)),), ((X, X + 1),)),
    ("ISA-51.jne", "32-bit JNE jumps if the low halves differ",
     "5.10", asm.jne32_reg(R7, R8, 1), ((X, X + 1),), ((X, X + (1 << 32)),)),
    ("ISA-51.jgt", "32-bit JGT jumps if the first low half is greater, unsigned",
     "5.10", asm.jgt32_reg(R7, R8, 1), ((LOW, 0),), ((1 << 32, 0), (1, 1))),
    ("ISA-51.jge", "32-bit JGE jumps if the first low half is greater or equal, unsigned",
     "5.10", asm.jge32_reg(R7, R8, 1), ((1, 1 << 32), (1, 1)), ((0, 1),)),
    ("ISA-51.jlt", "32-bit JLT jumps if the first low half is less, unsigned",
     "5.10", asm.jlt32_reg(R7, R8, 1), ((1 << 32, 1),), ((LOW, 0),)),
    ("ISA-51.jle", "32-bit JLE jumps if the first low half is less or equal, unsigned",
     "5.10", asm.jle32_reg(R7, R8, 1), ((1 << 32, 0),), ((LOW, 0),)),
    ("ISA-51.jset", "32-bit JSET jumps if the low halves have a bit in common",
     "5.10", asm.jset32_reg(R7, R8, 1), ((3, 2),), ((UPPER, ALL - 1),)),
    ("ISA-51.jsgt", "32-bit JSGT jumps if the first low half is greater, signed",
     "5.10", asm.jsgt32_reg(R7, R8, 1), ((0, LOW),), ((LOW, 0),)),
    ("ISA-51.jsge", "32-bit JSGE jumps if the first low half is greater or equal, signed",
     "5.10", asm.jsge32_reg(R7, R8, 1), ((0, LOW),), ((LOW, 0),)),
    ("ISA-51.jslt", "32-bit JSLT jumps if the first low half is less, signed",
     "5.10", asm.jslt32_reg(R7, R8, 1), ((LOW, 0),), ((0, LOW),)),
    ("ISA-51.jsle", "32-bit JSLE jumps if the first low half is less or equal, signed",
     "5.10", asm.jsle32_reg(R7, R8, 1), ((LOW, 0),), ((0, LOW),)),
    ("ISA-51.imm", "32-bit JEQ with constant -1 compares the low half only",
     "5.10", asm.jeq32_imm(R7, -1, 1), ((LOW, 0), (ALL, 0)), ((UPPER, 0),)),
)  # fmt: skip
