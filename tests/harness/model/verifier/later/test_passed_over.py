# SPDX-License-Identifier: MIT
"""Paths that are passed over, from states that come again and again."""

from __future__ import annotations

from harness.isa.assemble import DW, R0, R1, R2, R6, R7, exit_, jset_imm, ldx, mov64_imm, mov64_reg, program, rsh64_imm
from harness.model.verifier.verdict import Verdict
from tests.harness.model.verifier.lanes import KINDS, check_later


def test_the_same_paths_are_passed_over_once() -> None:
    """Sixteen comparisons, of which no result is known and nothing is learned, lead to the refused instruction in more
    ways than 4.1 may simulate."""
    joined = [(jset_imm(R6, 1 << number, 1), mov64_imm(R2, 0)) for number in range(16)]
    refused = (mov64_reg(R0, R7), exit_())
    code = program(
        (ldx(DW, R6, R1, 0), rsh64_imm(R6, 1), mov64_imm(R2, 0)),
        (jset_imm(R6, 1, "out"), joined, refused, "out", mov64_imm(R0, 0), exit_()),
    )
    verdict = check_later(code.instructions, (6, 1), KINDS["kprobe"], reached=lambda wanted, _: bool(wanted))
    assert isinstance(verdict, Verdict), verdict
    assert verdict.errno == "EACCES"
    assert verdict.message == "R7 !read_ok"
