# SPDX-License-Identifier: MIT
"""The pass after the verifier: fixup_bpf_calls(), kernel/bpf/syscall.c of 4.1.

It looks up the helper of every call, also of those that no path reached and the verifier therefore never saw; where
there is none it follows a null pointer. Seen on 4.1.52.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump

_CALL = Class.JMP | Jump.CALL


def missing_helper(program: Sequence[Instruction], helpers: Container[int]) -> int | None:
    """Returns the index of the first call of a helper that does not exist, None when all do."""
    for index, insn in enumerate(program):
        if insn.code == _CALL and insn.imm not in helpers:
            return index
    return None
