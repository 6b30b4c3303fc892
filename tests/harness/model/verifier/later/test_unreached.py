# SPDX-License-Identifier: MIT
"""What is shown of instructions: no verifier since 5.10 comes to them."""

from __future__ import annotations

import pytest

from harness.isa.assemble import DW, R0, R3, R6, R10, exit_, jne_imm, ldx, mov64_imm, program, st, stx
from harness.model.upstream import upstream
from harness.model.verifier import kprobe
from harness.model.verifier.later.safety.unreached import unreached
from harness.release import Release


@pytest.mark.parametrize("release", [(5, 10), (6, 1), (6, 12), (7, 2)])
@pytest.mark.parametrize("forgotten", [False, True])
def test_a_pointer_on_a_stack_that_was_forgotten_is_compared_twice(release: Release, *, forgotten: bool) -> None:
    """Behind a store of which it is not known where it goes, the stack may hold the pointer still, and a comparison
    with a constant shows verifiers nothing about it; of a number the second one has one way."""
    kept = (stx(DW, R10, -8, R10), st(DW, R6, 0, 0)) if forgotten else (st(DW, R10, -8, 0),)
    made = program(
        *kept, ldx(DW, R3, R10, -8), jne_imm(R3, 0, "end"), jne_imm(R3, 0, "asked"), "end", mov64_imm(R0, 0), exit_(),
        "asked", mov64_imm(R0, 1), exit_(),
    ).instructions  # fmt: skip
    shown = unreached(made, kprobe(168), upstream(release).verifier, {len(made) - 2})
    assert shown is not forgotten
