# SPDX-License-Identifier: MIT
"""Fields that an instruction does not use, on a path that is never taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.isa.assemble import R0, add64_imm, exit_, jeq_imm, mov64_imm, program
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump
from harness.model.verifier import Verdict
from tests.harness.model.verifier.lanes import KINDS, check_later


@pytest.mark.parametrize(
    "set_one",
    [
        replace(add64_imm(R0, 1), off=16),
        Instruction(Class.JMP | Jump.JEQ, 0, 2, 0, 1),
        Instruction(Class.JMP | Jump.CALL, 3, 0, 0, 5),
    ],
)
def test_fields_that_no_path_leads_to(set_one: Instruction) -> None:
    """Since 7.2 they are refused, wherever they are; before, by a verifier that comes to them."""
    code = program(mov64_imm(R0, 0), jeq_imm(R0, 0, 1), set_one, exit_()).instructions
    said = check_later(code, (7, 2), KINDS["kprobe"])
    assert isinstance(said, Verdict) and said.errno == "EINVAL"
    for release in ((6, 1), (6, 12), (6, 13)):
        said = check_later(code, release, KINDS["kprobe"])
        assert not isinstance(said, Verdict) or said.errno is None
