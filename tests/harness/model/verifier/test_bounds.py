# SPDX-License-Identifier: MIT
"""Pointers to values that are moved by a number of which later verifiers know how high it can be."""

from __future__ import annotations

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R6,
    R7,
    R8,
    R10,
    B,
    Piece,
    add64_imm,
    add64_reg,
    and64_imm,
    call,
    exit_,
    ja,
    jeq_imm,
    jge_imm,
    jgt32_imm,
    jgt_imm,
    ld_map_fd,
    ldx,
    lsh64_imm,
    mov64_imm,
    mov64_reg,
    program,
    rsh64_imm,
    st,
    stx,
    sub64_reg,
)
from harness.model.verifier import Verdict
from harness.model.verifier.prototypes import kprobe
from harness.release import Release
from harness.script.outcome import Unpredicted
from tests.harness.model.verifier.lanes import ARRAY, check_later

RELEASES: tuple[Release, ...] = ((5, 10), (6, 1), (6, 12), (7, 2))
FAR = 1 << 29
OPEN, ACCEPTED = "open", None
EIGHT_BYTES = (  # the value of the array: R6 points to it, and R7 holds a number from it
    *(st(DW, R10, -8, 0), mov64_reg(R2, R10), add64_imm(R2, -8), ld_map_fd(R1, ARRAY), call(1)),
    *(jeq_imm(R0, 0, "end"), mov64_reg(R6, R0), ldx(DW, R7, R6, 0), mov64_reg(R8, R6)),
)
END = ("end", mov64_imm(R0, 0), exit_())
LESS: Piece = sub64_reg(R8, R7)

ROWS: tuple[tuple[str, str | None, Piece], ...] = (
    ("masked", ACCEPTED, (and64_imm(R7, 0xFFFF), LESS)),
    ("masked, the other way round", ACCEPTED, (and64_imm(R7, 0xFFFF), add64_reg(R7, R8))),
    ("shifted", ACCEPTED, (rsh64_imm(R7, 40), LESS)),
    *((f"shifted by {by} bits", "EINVAL", (rsh64_imm(R7, by), LESS)) for by in (-1, 64, 65)),
    ("compared", ACCEPTED, (jgt_imm(R7, FAR - 1, "end"), LESS)),
    ("a pointer is compared, stored and copied", ACCEPTED, (and64_imm(R7, 7), LESS, stx(DW, R6, 0, R8))),
    ("a comparison with a number", ACCEPTED, (and64_imm(R7, 7), LESS, jeq_imm(R8, 5, "end"))),
    ("nothing is known", OPEN, LESS),
    ("too far", OPEN, (jgt_imm(R7, FAR, "end"), LESS)),
    ("shifted too little", OPEN, (rsh64_imm(R7, 34), LESS)),
    ("the other side", OPEN, (jgt_imm(R7, 5, "far"), ja("end"), "far", LESS)),
    ("another comparison", OPEN, (jge_imm(R7, 5, "end"), LESS)),
    ("the low half", OPEN, (jgt32_imm(R7, 5, "end"), LESS)),
    ("computed with after that", OPEN, (and64_imm(R7, 7), lsh64_imm(R7, 50), LESS)),
    ("an access", ACCEPTED, (and64_imm(R7, 7), add64_reg(R8, R7), ldx(B, R0, R8, 0))),
    ("an access that may be outside", OPEN, (and64_imm(R7, 15), add64_reg(R8, R7), ldx(B, R0, R8, 0))),
    ("moved again", OPEN, (and64_imm(R7, 7), LESS, add64_imm(R8, 4))),
    ("a bitwise operation on it", "EACCES", (and64_imm(R7, 7), LESS, lsh64_imm(R8, 1))),
    (
        "two paths, on one of which nothing is known",
        OPEN,
        (jeq_imm(R0, 5, "other"), and64_imm(R7, 7), ja("both"), "other", mov64_imm(R1, 0), "both", LESS),
    ),
    ("two paths, the one with the lower bound first", OPEN, (jgt_imm(R7, 5, "both"), ja("both"), "both", LESS)),
    ("two paths, both with a bound", ACCEPTED, (and64_imm(R7, 7), jgt_imm(R7, 5, "both"), ja("both"), "both", LESS)),
)


def said(verdict: Verdict | Unpredicted) -> str | None:
    return OPEN if isinstance(verdict, Unpredicted) else verdict.errno


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(("what", "verdict", "piece"), ROWS, ids=[row[0] for row in ROWS])
def test_what_is_known_of_a_number_moves_a_pointer(
    what: str, verdict: str | None, piece: Piece, release: Release
) -> None:
    code = program(EIGHT_BYTES, piece, END)
    assert said(check_later(code.instructions, release, kprobe(168))) == verdict
