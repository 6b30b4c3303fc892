# SPDX-License-Identifier: MIT
"""Which instructions there are, by their opcodes; kernel/bpf/verifier.c.

What else makes the verifier refuse a program is in harness.clauses.verifier.
"""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.verdicts import loads, refused
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R6,
    R10,
    B,
    H,
    Piece,
    W,
    exit_,
    ja,
    ld_abs,
    ld_imm64,
    ld_map_fd,
    ldx,
    mov64_imm,
    mov64_reg,
    st,
    stx,
    xadd,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Source
from harness.script.clause import WORKS, Clause, Said
from harness.script.operations import ProgramType

RETURN: tuple[Piece, ...] = (mov64_imm(R0, 0), exit_())
START: tuple[Piece, ...] = (mov64_imm(R0, 0), mov64_imm(R2, 1))
ACCEPTED: dict[str, Said] = {"5.10": WORKS}


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return _opcodes()


def insn(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> Instruction:
    """Returns an instruction by its fields."""
    return Instruction(code, dst, src, off, imm)


_ALU_K, _ALU_X = (0x07, 0x17, 0x27, 0x37, 0x47, 0x57, 0x67, 0x77, 0x97, 0xA7, 0xB7, 0xC7), range(0x0F, 0xD0, 0x10)
_PRESENT = {
    "ISA-01": ("64-bit operations with a constant", [insn(code, R2, imm=1) for code in _ALU_K]),
    "ISA-02": (
        "64-bit operations with a register",
        [insn(code, R2, R2) for code in _ALU_X if code != 0x8F],
    ),
    "ISA-03": ("32-bit operations with a constant", [insn(code - 3, R2, imm=1) for code in _ALU_K if code != 0xC7]),
    "ISA-04": (
        "32-bit operations with a register",
        [insn(code - 3, R2, R2) for code in _ALU_X if code not in (0x8F, 0xCF)],
    ),
    "ISA-05": ("negations of 32 and 64 bits", [insn(0x84, R2), insn(0x87, R2)]),
    "ISA-06": (
        "conversions to either byte order of 16, 32 and 64 bits",
        [insn(code, R2, imm=bits) for code in (0xD4, 0xDC) for bits in (16, 32, 64)],
    ),
    "ISA-09": (
        "the jumps of 4.1 on a constant",
        [insn(code, R2, imm=1) for code in (0x15, 0x25, 0x35, 0x45, 0x55, 0x65, 0x75)],
    ),
    "ISA-10": (
        "the jumps of 4.1 on a register",
        [insn(code, R2, R2) for code in (0x1D, 0x2D, 0x3D, 0x4D, 0x5D, 0x6D, 0x7D)],
    ),
}


def _opcodes() -> tuple[Clause, ...]:
    cells = (st(DW, R10, -8, 0), st(DW, R10, -16, 0))
    return (
        *(
            loads(id, f"The verifier accepts {what}", *START, *all_of_them, exit_())
            for id, (what, all_of_them) in _PRESENT.items()
        ),
        loads(
            "ISA-14",
            "The verifier accepts loads of 1, 2, 4 and 8 bytes",
            *cells,
            [ldx(size, R2, R10, -8) for size in (B, H, W, DW)],
            *RETURN,
        ),
        loads(
            "ISA-15",
            "The verifier accepts stores of constants of 1, 2, 4 and 8 bytes",
            [st(size, R10, -8, 1) for size in (B, H, W, DW)],
            *RETURN,
        ),
        loads(
            "ISA-16",
            "The verifier accepts stores of registers of 1, 2, 4 and 8 bytes",
            *START,
            [stx(size, R10, -8, R2) for size in (B, H, W, DW)],
            exit_(),
        ),
        loads(
            "ISA-17",
            "The verifier accepts atomic additions of 4 and 8 bytes",
            *cells,
            *START,
            xadd(W, R10, -8, R2),
            xadd(DW, R10, -16, R2),
            exit_(),
        ),
        loads("ISA-18", "The verifier accepts BPF_LD_IMM64 with a constant", ld_imm64(R2, (1 << 64) - 1), *RETURN),
        refused(
            "ISA-06.bits",
            "A conversion of byte order of 8 bits gives EINVAL",
            "EINVAL",
            "BPF_END uses reserved fields",
            *START,
            insn(0xD4, R2, imm=8),
            exit_(),
        ),
        refused(
            "ISA-06.class",
            "A conversion of byte order in class BPF_ALU64, opcode d7, gives EINVAL; since 6.6 it is an "
            "unconditional swap",
            "EINVAL",
            "",
            *START,
            insn(0xD7, R2, imm=16),
            exit_(),
            later={"6.6": WORKS},
        ),
        *(
            refused(
                f"ISA-07.{code:02x}",
                f"A 32-bit arithmetic right shift, opcode {code:02x}, gives EINVAL; since 5.0 it is accepted",
                "EINVAL",
                "BPF_ARSH not supported for 32 bit ALU",
                *START,
                insn(code, R2, R2 if code & Source.X else 0, imm=0 if code & Source.X else 1),
                exit_(),
                later=ACCEPTED,
            )
            for code in (0xC4, 0xCC)
        ),
        *(
            refused(
                f"ISA-08.{code:02x}",
                f"Opcode {code:02x}, which is no arithmetic operation, gives EINVAL",
                "EINVAL",
                "",
                *START,
                insn(code, R2),
                exit_(),
            )
            for code in (0xE4, 0xF4, 0xE7, 0xF7, 0xEC, 0xFF)
        ),
        *(
            refused(
                f"ISA-09.{code:02x}",
                f"A jump on less, opcode {code:02x}, gives EINVAL; since 4.14 it is accepted",
                "EINVAL",
                "",
                *START,
                insn(code, R2, imm=1),
                exit_(),
                later=ACCEPTED,
            )
            for code in (0xA5, 0xB5, 0xC5, 0xD5)
        ),
        *(
            refused(
                f"ISA-09.{code:02x}",
                f"Opcode {code:02x}, which is no jump, gives EINVAL",
                "EINVAL",
                "",
                *START,
                insn(code, R2, imm=1),
                exit_(),
            )
            for code in (0xE5, 0xF5)
        ),
        *(
            refused(
                f"ISA-17.{code:02x}",
                f"Opcode {code:02x}, an atomic addition of neither 4 nor 8 bytes, gives EINVAL",
                "EINVAL",
                "BPF_XADD uses reserved fields",
                *cells,
                *START,
                insn(code, R10, R2, -8),
                exit_(),
                until="6.12",
            )
            for code in (0xCB, 0xD3)
        ),
        *(
            refused(
                f"ISA-20.{code:02x}",
                f"Opcode {code:02x}, which is no load, gives EINVAL",
                "EINVAL",
                "",
                *START,
                insn(code, R2),
                exit_(),
            )
            for code in (0x60, 0x80, 0xA0, 0xC0, 0xE0, 0x00, 0x08, 0x10)
        ),
        refused(
            "ISA-21",
            "Opcode 16, of class 6, gives EINVAL; since 5.1 the class has the 32-bit jumps",
            "EINVAL",
            "unknown insn class 6",
            *START,
            insn(0x16, R2, imm=1),
            exit_(),
            later=ACCEPTED,
        ),
        *(
            refused(
                f"ISA-22.{where}",
                f"{message.replace(' is invalid', '')} as {where} gives EINVAL: there are eleven registers",
                "EINVAL",
                message,
                *START,
                bad,
                exit_(),
            )
            for where, bad, message in (
                ("dst", insn(0xB7, 11), "R11 is invalid"),
                ("src", insn(0xBF, 0, 15), "R15 is invalid"),
                ("base", insn(0x79, 0, 12), "R12 is invalid"),
            )
        ),
        refused(
            "ISA-19",
            "A program on a kprobe that loads from a packet, BPF_LD_ABS, gives EINVAL",
            "EINVAL",
            "BPF_LD_ABS|IND instructions not allowed for this program type",
            mov64_reg(R6, R1),
            ld_abs(W, 0),
            exit_(),
        ),
        loads(
            "ISA-19.filter",
            "A socket filter may load from its packet, BPF_LD_ABS",
            mov64_reg(R6, R1),
            ld_abs(W, 0),
            exit_(),
            type=ProgramType.SOCKET_FILTER,
            needs=frozenset(),
        ),
        refused(
            "ISA-18.half",
            "BPF_LD_IMM64 without its second half gives EINVAL",
            "EINVAL",
            "invalid bpf_ld_imm64 insn",
            *START,
            insn(0x18, R2),
            exit_(),
        ),
        refused(
            "ISA-18.source",
            "BPF_LD_IMM64 with an unknown source register gives EINVAL",
            "EINVAL",
            "unrecognized bpf_ld_imm64 insn",
            insn(0x18, R2, 15),
            insn(0),
            *RETURN,
        ),
        refused(
            "V-02.closed",
            "A program that refers to a map by a descriptor that is not open gives EBADF",
            "EBADF",
            "fd 1000 is not pointing to valid bpf_map",
            ld_map_fd(R2, 1000),
            *RETURN,
        ),
        refused(
            "V-07",
            "A program with a map's descriptor that is not open and a jump out of range gives EBADF; since 5.10 "
            "EINVAL, because "
            "control flow is checked first",
            "EBADF",
            "fd 1000 is not pointing to valid bpf_map",
            ld_map_fd(R2, 1000),
            ja(5),
            *RETURN,
            later={"5.10": "EINVAL"},
        ),
        refused(
            "ISA-05.x",
            "A negation with a register as source, opcode 8f, gives EINVAL",
            "EINVAL",
            "BPF_NEG uses reserved fields",
            *START,
            insn(0x8F, R2),
            exit_(),
        ),
        refused(
            "ISA-11.x",
            "An unconditional jump with a register as source, opcode 0d, gives EINVAL",
            "EINVAL",
            "",
            *START,
            insn(0x0D),
            exit_(),
        ),
    )
