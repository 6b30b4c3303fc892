# SPDX-License-Identifier: MIT
"""A program for every message of kernel/bpf/verifier.c in 4.1 that a program can bring about.

Rows follow the order of the messages in the source, and are named after it: M-01 is the first message. Rules of later
verifiers (harness/model/verifier/rules.py) are named likewise.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R10,
    B,
    H,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    ja,
    jeq_imm,
    jgt_imm,
    ld_abs,
    ld_imm64,
    ld_map_fd,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
)
from harness.isa.instruction import Instruction
from tests.harness.model.verifier.lanes import ARRAY, LOOKUP, NOT_A_MAP, WIDE

HEAD = (mov64_imm(R0, 0),)
TAIL = (mov64_imm(R0, 0), exit_())
RETURN = (exit_(),)


@dataclass(frozen=True)
class Rejection:
    """`at` is the instruction the refusal is about."""

    row: str
    pieces: tuple[Piece, ...]
    errno: str
    message: str
    at: int
    kind: str = "kprobe"
    gpl: bool = True

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return program(*self.pieces).instructions


def _raw(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> Instruction:
    return Instruction(code, dst, src, off, imm)


def _reserved(row: str, message: str, *instructions: Instruction) -> list[Rejection]:
    return [
        Rejection(row, (mov64_imm(R0, 0), mov64_imm(R2, 8), insn, exit_()), "EINVAL", message, 2)
        for insn in instructions
    ]


MANY_BRANCHES = (ldx(DW, R2, R1, 0), mov64_imm(R0, 0), *(jeq_imm(R2, number, "out") for number in range(1025)), "out")

MANY_PATHS = (
    ldx(DW, R2, R1, 0),
    *((jgt_imm(R2, number, 1), st(DW, R10, -8 * (number + 1), 0)) for number in range(8)),
    [mov64_imm(R0, 0)] * 200,
)
"""At each of 8 points one path has written a slot of the stack and the other has not, so none covers the other, and
200 instructions follow 256 times."""

REJECTIONS: tuple[Rejection, ...] = (
    Rejection("M-01", (*MANY_BRANCHES, exit_()), "EFAULT", "BPF program is too complex", 1026),
    Rejection("M-02", (mov64_imm(11, 0), *TAIL), "EINVAL", "R11 is invalid", 0),
    Rejection("M-02", (mov64_reg(R0, 15), *TAIL), "EINVAL", "R15 is invalid", 0),
    Rejection("M-03", (mov64_reg(R0, R2), exit_()), "EACCES", "R2 !read_ok", 0),
    Rejection("M-03", (exit_(),), "EACCES", "R0 !read_ok", 0),
    Rejection("M-03", (call(5), mov64_reg(R0, R1), exit_()), "EACCES", "R1 !read_ok", 1),
    Rejection("M-03", (ld_abs(W, 0), exit_()), "EACCES", "R6 !read_ok", 0, "socket_filter"),
    Rejection("M-04", (mov64_imm(R10, 0), *TAIL), "EACCES", "frame pointer is read only", 0),
    Rejection("M-04", (ldx(DW, R10, R1, 0), *TAIL), "EACCES", "frame pointer is read only", 0),
    Rejection("M-05", (stx(W, R10, -4, R1), *TAIL), "EACCES", "invalid size of register spill", 0),
    Rejection(
        "M-05", (stx(DW, R10, -8, R1), ldx(W, R0, R10, -8), exit_()), "EACCES", "invalid size of register spill", 1
    ),
    Rejection(
        "M-06",
        (stx(DW, R10, -8, R1), st(B, R10, -1, 0), ldx(DW, R0, R10, -8), exit_()),
        "EACCES",
        "corrupted spill memory",
        2,
    ),
    Rejection("M-07", (ldx(DW, R0, R10, -8), exit_()), "EACCES", "invalid read from stack off -8+0 size 8", 0),
    Rejection(
        "M-07",
        (st(W, R10, -8, 0), ldx(DW, R0, R10, -8), exit_()),
        "EACCES",
        "invalid read from stack off -8+4 size 8",
        1,
    ),
    Rejection(
        "M-07",
        (stx(DW, R10, -8, R1), st(W, R10, -8, 0), ldx(DW, R0, R10, -8), exit_()),
        "EACCES",
        "invalid read from stack off -8+4 size 8",
        2,
    ),
    Rejection(
        "M-08",
        (LOOKUP, jeq_imm(R0, 0, "out"), ldx(DW, R2, R0, 8), "out", *TAIL),
        "EACCES",
        "invalid access to map value, value_size=8 off=8 size=8",
        7,
    ),
    Rejection(
        "M-08",
        (LOOKUP, jeq_imm(R0, 0, "out"), st(B, R0, -1, 0), "out", *TAIL),
        "EACCES",
        "invalid access to map value, value_size=8 off=-1 size=1",
        7,
    ),
    Rejection("M-09", (ldx(DW, R0, R1, 168), exit_()), "EACCES", "invalid bpf_context access off=168 size=8", 0),
    Rejection("M-09", (st(W, R1, 0, 0), *TAIL), "EACCES", "invalid bpf_context access off=0 size=4", 0),
    Rejection(
        "M-09", (ldx(DW, R0, R1, 0), exit_()), "EACCES", "invalid bpf_context access off=0 size=8", 0, "socket_filter"
    ),
    Rejection("M-09", (_raw(0xDB, R1, R1), *TAIL), "EACCES", "invalid bpf_context access off=0 size=8", 0),
    Rejection("M-10", (ldx(DW, R0, R1, 4), exit_()), "EACCES", "misaligned access off 4 size 8", 0),
    Rejection("M-10", (mov64_imm(R2, 0), st(H, R2, 1, 0), *TAIL), "EACCES", "misaligned access off 1 size 2", 1),
    Rejection("M-11", (st(DW, R10, 0, 0), *TAIL), "EACCES", "invalid stack off=0 size=8", 0),
    Rejection("M-11", (st(DW, R10, -520, 0), *TAIL), "EACCES", "invalid stack off=-520 size=8", 0),
    Rejection("M-12", (mov64_imm(R2, 0), ldx(DW, R0, R2, 0), exit_()), "EACCES", "R2 invalid mem access 'imm'", 1),
    Rejection("M-12", (LOOKUP, ldx(DW, R0, R0, 0), exit_()), "EACCES", "R0 invalid mem access 'map_value_or_null'", 6),
    Rejection(
        "M-12",
        (mov64_reg(R2, R10), add64_imm(R2, -8), st(DW, R2, 0, 0), *TAIL),
        "EACCES",
        "R2 invalid mem access 'fp'",
        2,
    ),
    Rejection(
        "M-12", (ld_map_fd(R2, ARRAY), ldx(DW, R0, R2, 0), exit_()), "EACCES", "R2 invalid mem access 'map_ptr'", 2
    ),
    Rejection("M-12", (ld_imm64(R2, 1), ldx(DW, R0, R2, 0), exit_()), "EACCES", "R2 invalid mem access 'inv'", 2),
    Rejection("M-13", (_raw(0xCB, R10, R1, -8), *TAIL), "EINVAL", "BPF_XADD uses reserved fields", 0),
    Rejection("M-13", (_raw(0xDB, R10, R1, -8, 1), *TAIL), "EINVAL", "BPF_XADD uses reserved fields", 0),
    *(
        Rejection(
            "M-14",
            (mov64_reg(R1, R10), add64_imm(R1, off), mov64_imm(R2, size), mov64_imm(R3, 0), call(4), exit_()),
            "EACCES",
            f"invalid stack type R1 off={off} access_size={size}",
            4,
        )
        for off, size in ((-8, 0), (-8, -1), (-8, 9), (0, 1), (-513, 1), (2147483647, 2147483647))
    ),
    Rejection(
        "M-15",
        (st(W, R10, -8, 0), mov64_reg(R2, R10), add64_imm(R2, -6), ld_map_fd(R1, ARRAY), call(1), exit_()),
        "EACCES",
        "invalid indirect read from stack off -6+2 size 4",
        5,
    ),
    Rejection(
        "M-14",
        (
            st(DW, R10, -8, 0),
            mov64_reg(R2, R10),
            add64_imm(R2, -8),
            mov64_reg(R3, R2),
            mov64_imm(R4, 0),
            ld_map_fd(R1, WIDE),
            call(2),
            exit_(),
        ),
        "EACCES",
        "invalid stack type R3 off=-8 access_size=-16",
        7,
    ),
    Rejection("M-17", (call(1), *TAIL), "EACCES", "R1 type=ctx expected=map_ptr", 0),
    Rejection(
        "M-17", (ld_map_fd(R1, ARRAY), mov64_reg(R2, R10), call(1), *TAIL), "EACCES", "R2 type=fp expected=fp", 3
    ),
    Rejection(
        "M-17",
        (mov64_reg(R1, R10), add64_imm(R1, -8), ld_imm64(R2, 8), mov64_imm(R3, 0), call(4), exit_()),
        "EACCES",
        "R2 type=inv expected=imm",
        5,
    ),
    Rejection(
        "M-17",
        (LOOKUP, mov64_reg(R2, R0), ld_map_fd(R1, ARRAY), call(1), *TAIL),
        "EACCES",
        "R2 type=map_value_or_null expected=fp",
        9,
    ),
    Rejection("M-17", (ld_map_fd(R1, ARRAY), mov64_imm(R2, 0), call(1), *TAIL), "EACCES", "R2 type=imm expected=fp", 3),
    Rejection("M-21", (call(12), exit_()), "EINVAL", "invalid func 12", 0),
    Rejection("M-21", (call(-1), exit_()), "EINVAL", "invalid func -1", 0),
    Rejection("M-22", (call(0), exit_()), "EINVAL", "unknown func 0", 0),
    Rejection("M-22", (call(8), exit_()), "EINVAL", "unknown func 8", 0),
    Rejection("M-22", (call(5), exit_()), "EINVAL", "unknown func 5", 0, "socket_filter"),
    Rejection(
        "M-23", (call(4), exit_()), "EINVAL", "cannot call GPL only function from proprietary program", 0, gpl=False
    ),
    *_reserved(
        "M-26",
        "BPF_NEG uses reserved fields",
        _raw(0x8F, R2),
        _raw(0x87, R2, R1),
        _raw(0x87, R2, off=1),
        _raw(0x84, R2, imm=1),
    ),
    *_reserved(
        "M-27",
        "BPF_END uses reserved fields",
        _raw(0xD4, R2, R1, imm=16),
        _raw(0xDC, R2, off=1, imm=16),
        _raw(0xDC, R2, imm=8),
        _raw(0xD7, R2, imm=16),
    ),
    *_reserved(
        "M-28",
        "BPF_MOV uses reserved fields",
        _raw(0xB7, R2, R1),
        _raw(0xB7, R2, off=8),
        _raw(0xBF, R2, R1, imm=1),
        _raw(0xBC, R2, R1, off=8),
    ),
    *_reserved("M-29", "invalid BPF_ALU opcode e0", _raw(0xE7, R2), _raw(0xEC, R2)),
    *_reserved("M-29", "invalid BPF_ALU opcode f0", _raw(0xFF, R2), _raw(0xF4, R2)),
    *_reserved(
        "M-30",
        "BPF_ALU uses reserved fields",
        _raw(0x07, R2, R1),
        _raw(0x37, R2, off=1, imm=1),
        _raw(0x0F, R2, R1, imm=1),
    ),
    *_reserved("M-31", "div by zero", _raw(0x37, R2), _raw(0x97, R2), _raw(0x34, R2), _raw(0x94, R2)),
    *_reserved("M-32", "BPF_ARSH not supported for 32 bit ALU", _raw(0xC4, R2, imm=1), _raw(0xCC, R2, R2)),
    *_reserved("M-33", "invalid shift 64", _raw(0x67, R2, imm=64), _raw(0x77, R2, imm=64), _raw(0xC7, R2, imm=64)),
    *_reserved("M-33", "invalid shift 32", _raw(0x64, R2, imm=32), _raw(0x74, R2, imm=32)),
    *_reserved("M-33", "invalid shift -1", _raw(0x67, R2, imm=-1)),
    *_reserved("M-34", "invalid BPF_JMP opcode a0", _raw(0xA5, R2), _raw(0xAD, R2)),
    *_reserved("M-34", "invalid BPF_JMP opcode f0", _raw(0xF5, R2)),
    *_reserved("M-35", "BPF_JMP uses reserved fields", _raw(0x15, R2, R1), _raw(0x1D, R2, R2, imm=1)),
    *_reserved("M-36", "invalid BPF_LD_IMM insn", _raw(0x00), _raw(0x08), _raw(0x10)),
    Rejection(
        "M-36",
        (ldx(DW, R0, R1, 0), jeq_imm(R0, 0, 1), ld_imm64(R2, 5), *RETURN),
        "EINVAL",
        "invalid BPF_LD_IMM insn",
        3,
    ),
    Rejection("M-37", (_raw(0x18, R2, off=1), _raw(0), *TAIL), "EINVAL", "BPF_LD_IMM64 uses reserved fields", 0),
    Rejection(
        "M-38", (ld_abs(W, 0), *TAIL), "EINVAL", "BPF_LD_ABS|IND instructions not allowed for this program type", 0
    ),
    *(
        Rejection(
            "M-39", (mov64_reg(R6, R1), insn, *TAIL), "EINVAL", "BPF_LD_ABS uses reserved fields", 1, "socket_filter"
        )
        for insn in (_raw(0x20, 1), _raw(0x20, off=1), _raw(0x20, src=1), _raw(0x38), _raw(0x58))
    ),
    Rejection(
        "M-40",
        (mov64_imm(R6, 0), ld_abs(W, 0), *TAIL),
        "EINVAL",
        "at the time of BPF_LD_ABS|IND R6 != pointer to skb",
        1,
        "socket_filter",
    ),
    Rejection("M-41", (*HEAD, ja(1), exit_()), "EINVAL", "jump out of range from insn 1 to 3", 1),
    Rejection("M-41", (ja(-2), exit_()), "EINVAL", "jump out of range from insn 0 to -1", 0),
    Rejection("M-41", (*HEAD,), "EINVAL", "jump out of range from insn 0 to 1", 0),
    Rejection("M-42", (ja(-1), exit_()), "EINVAL", "back-edge from insn 0 to 0", 0),
    Rejection("M-42", (*HEAD, jeq_imm(R0, 1, -2), exit_()), "EINVAL", "back-edge from insn 1 to 0", 1),
    Rejection("M-45", (*HEAD, exit_(), exit_()), "EINVAL", "unreachable insn 2", 2),
    Rejection("M-47", (*MANY_PATHS, exit_()), "E2BIG", "BPF program is too large. Proccessed 32769 insn", 91),
    Rejection(
        "M-48",
        (
            mov64_reg(R6, R1),
            LOOKUP,
            jeq_imm(R0, 0, "null"),
            mov64_reg(R6, R0),
            "null",
            ldx(W, R0, R6, 0),
            exit_(),
        ),
        "EINVAL",
        "same insn cannot be used with different pointers",
        9,
    ),
    Rejection("M-49", (_raw(0x1B, R10, R1, -8), *TAIL), "EINVAL", "BPF_STX uses reserved fields", 0),
    Rejection("M-49", (_raw(0x7B, R10, R1, -8, 1), *TAIL), "EINVAL", "BPF_STX uses reserved fields", 0),
    Rejection("M-50", (_raw(0x1A, R10, 0, -8), *TAIL), "EINVAL", "BPF_ST uses reserved fields", 0),
    Rejection("M-50", (_raw(0x7A, R10, 1, -8), *TAIL), "EINVAL", "BPF_ST uses reserved fields", 0),
    *_reserved(
        "M-51",
        "BPF_CALL uses reserved fields",
        _raw(0x8D, imm=5),
        _raw(0x85, off=1, imm=5),
        _raw(0x85, 1, imm=5),
        _raw(0x85, src=1, imm=5),
    ),
    *_reserved("M-52", "BPF_JA uses reserved fields", _raw(0x05, imm=1), _raw(0x05, src=1), _raw(0x05, dst=1)),
    *(
        Rejection("M-53", (*HEAD, insn), "EINVAL", "BPF_EXIT uses reserved fields", 1)
        for insn in (_raw(0x9D), _raw(0x95, imm=1), _raw(0x95, src=1), _raw(0x95, dst=1))
    ),
    *_reserved("M-54", "invalid BPF_LD mode", *(_raw(mode) for mode in (0x60, 0x80, 0xA0, 0xC0, 0xE0))),
    *_reserved("M-55", "unknown insn class 6", _raw(0x06), _raw(0x16), _raw(0xFE)),
    Rejection("M-56", (ldx(DW, R0, R1, 0), _raw(0x81, R0, R1), exit_()), "EINVAL", "BPF_LDX uses reserved fields", 1),
    Rejection("M-56", (_raw(0x79, R0, R1, imm=1), exit_()), "EINVAL", "BPF_LDX uses reserved fields", 0),
    *(
        Rejection("M-57", (_raw(0x18), *second), "EINVAL", "invalid bpf_ld_imm64 insn", 0)
        for second in ((), (exit_(),), (_raw(0, 1),), (_raw(0, src=1),), (_raw(0, off=1),))
    ),
    Rejection("M-58", (_raw(0x18, R2, 2), _raw(0), *TAIL), "EINVAL", "unrecognized bpf_ld_imm64 insn", 0),
    Rejection("M-59", (ld_map_fd(R2, 99), *TAIL), "EBADF", "fd 99 is not pointing to valid bpf_map", 0),
    Rejection("M-59", (ld_map_fd(R2, -1), *TAIL), "EBADF", "fd -1 is not pointing to valid bpf_map", 0),
    Rejection(
        "M-59", (ld_map_fd(R2, NOT_A_MAP), *TAIL), "EINVAL", f"fd {NOT_A_MAP} is not pointing to valid bpf_map", 0
    ),
    Rejection("M-61", (*HEAD, _raw(0x0D), exit_()), "EINVAL", "", 1),
    Rejection("M-62", (*(ld_map_fd(R2, 1000 + number) for number in range(65)), *TAIL), "E2BIG", "", 128),
)
