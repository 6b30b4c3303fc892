# SPDX-License-Identifier: MIT
"""Programs that 4.1 accepts: what anybody would, what it lets pass by mistake, and what shows how it simulates."""

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
    R7,
    R10,
    B,
    Piece,
    W,
    add64_imm,
    arsh64_imm,
    be,
    call,
    div64_reg,
    exit_,
    ja,
    jeq_imm,
    jgt_imm,
    jne_imm,
    ld_abs,
    ld_imm64,
    ld_ind,
    ld_map_fd,
    ldx,
    le,
    lsh64_reg,
    mov32_imm,
    mov64_imm,
    mov64_reg,
    neg64,
    program,
    st,
    stx,
    xadd,
)
from harness.isa.instruction import Instruction
from tests.harness.model.verifier.lanes import ARRAY, HASH, LOOKUP

TAIL = (mov64_imm(R0, 0), exit_())
HIDDEN = (mov64_imm(R0, 0), jeq_imm(R0, 0, 1))
"""Always taken, and 4.1 knows it: what follows is simulated by nobody."""


@dataclass(frozen=True)
class Acceptance:
    """`row` names the clause the program is about, or says in words what it does."""

    row: str
    pieces: tuple[Piece, ...]
    kind: str = "kprobe"

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        return program(*self.pieces).instructions


HOLES: tuple[Acceptance, ...] = (
    Acceptance("hidden-by-32-bits", (mov32_imm(R0, -1), jne_imm(R0, -1, 1), exit_(), Instruction(0xF7), exit_())),
    Acceptance("the frame pointer as result", (mov64_reg(R0, R10), exit_())),
    Acceptance("an exit with an offset", (mov64_imm(R0, 0), Instruction(0x95, off=7))),
    Acceptance("T-05", (mov64_reg(R0, R1), add64_imm(R0, 1), exit_())),
    Acceptance("CFG-06", (ldx(DW, R0, R1, 0), jeq_imm(R0, 0, 2), mov64_imm(R0, 0), exit_(), ja(-3))),
    Acceptance("ISA-18", (Instruction(0x18, 2, 1, 0, ARRAY), Instruction(0, imm=7), *TAIL)),
    Acceptance("an addition to a stored pointer", (stx(DW, R10, -8, R1), xadd(DW, R10, -8, R1), *TAIL)),
    Acceptance(
        "CALL-15",
        (
            mov64_reg(R3, R1),
            st(B, R10, -1, 0),
            mov64_reg(R1, R10),
            add64_imm(R1, -1),
            mov64_imm(R2, 1),
            call(4),
            *TAIL,
        ),
    ),
    Acceptance("hidden-nonsense", (*HIDDEN, Instruction(0xF7, 12, 12), exit_())),
    Acceptance("J-02", (mov64_imm(R0, 0), jne_imm(R0, 0, 1), exit_(), Instruction(0xF7), exit_())),
)
"""What 4.1 lets pass and most later verifiers do not."""

ACCEPTANCES: tuple[Acceptance, ...] = (
    *HOLES,
    Acceptance("the least program", TAIL),
    Acceptance("the least filter", TAIL, "socket_filter"),
    Acceptance("the least classifier", TAIL, "sched_cls"),
    Acceptance("a checked lookup", (LOOKUP, jeq_imm(R0, 0, "out"), st(DW, R0, 0, 1), "out", *TAIL)),
    Acceptance("a lookup in a filter", (LOOKUP, jeq_imm(R0, 0, 1), ldx(DW, R0, R0, 0), exit_()), "socket_filter"),
    Acceptance(
        "an update",
        (
            *(st(DW, R10, -8 * slot, slot) for slot in range(1, 8)),
            mov64_reg(R2, R10),
            add64_imm(R2, -16),
            mov64_reg(R3, R10),
            add64_imm(R3, -56),
            mov64_imm(R4, 0),
            ld_map_fd(R1, HASH),
            call(2),
            exit_(),
        ),
    ),
    Acceptance(
        "spills and what they say of a branch",
        (
            stx(DW, R10, -16, R1),
            mov64_reg(R2, R10),
            add64_imm(R2, -8),
            stx(DW, R10, -8, R2),
            ldx(DW, R3, R1, 0),
            jgt_imm(R3, 5, "out"),
            mov64_imm(R3, -1),
            "out",
            *TAIL,
        ),
    ),
    Acceptance("a restored context", (stx(DW, R10, -8, R1), ldx(DW, R6, R10, -8), ldx(DW, R0, R6, 0), exit_())),
    Acceptance(
        "pruned paths",
        (ldx(DW, R3, R1, 0), mov64_imm(R0, 0), jgt_imm(R3, 5, 1), ja(0), jgt_imm(R3, 7, 0), exit_()),
    ),
    Acceptance("what the log loses", (Instruction(0xDC, R1, imm=16), neg64(R1), ld_imm64(R2, 0x1_0000_0002), *TAIL)),
    Acceptance(
        "arithmetic of every sort",
        (
            mov64_imm(R0, -1),
            mov64_imm(R7, 0),
            arsh64_imm(R0, 63),
            div64_reg(R0, R7),
            lsh64_reg(R0, R7),
            be(R0, 64),
            le(R0, 16),
            exit_(),
        ),
    ),
    Acceptance("arguments and a clock", (ldx(DW, R6, R1, 112), call(5), mov64_imm(R0, 0), exit_())),
    Acceptance(
        "a packet", (mov64_reg(R6, R1), ld_abs(B, 0), mov64_reg(R7, R0), ld_ind(W, R7, 4), exit_()), "socket_filter"
    ),
    Acceptance("fields of a packet's buffer", (ldx(W, R0, R1, 0), exit_()), "socket_filter"),
    Acceptance(
        "a stale half of an address",
        (
            LOOKUP,
            mov64_reg(R6, R0),
            mov64_imm(R7, 0),
            jne_imm(R6, 0, "join"),
            jgt_imm(R7, 5, "join"),
            mov64_imm(R6, 0),
            "join",
            *TAIL,
        ),
    ),
    Acceptance("a long program", (*[mov64_imm(R0, 0)] * 1000, exit_())),
    Acceptance("as many jumps as there may wait", (ldx(DW, R2, R1, 0), *(jgt_imm(R2, n, 0) for n in range(60)), *TAIL)),
)
