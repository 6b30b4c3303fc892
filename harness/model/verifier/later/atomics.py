# SPDX-License-Identifier: MIT
"""Atomic operations that put the old value into a register: check_atomic(), kernel/bpf/verifier.c of 5.12."""

from __future__ import annotations

from harness.isa.instruction import Instruction
from harness.model.verifier.environment import Environment
from harness.model.verifier.memory import check_read, check_write, check_xadd, check_xadd_fields
from harness.model.verifier.state import UNKNOWN, check_destination, check_source


def check_atomic(env: Environment, index: int, insn: Instruction) -> None:
    """Checks an atomic operation; the register that receives the old value must be readable before."""
    into = env.fetches.get(index)
    if into is None:
        check_xadd(env, index, insn)
        return
    size = check_xadd_fields(insn)
    registers = env.state.registers
    check_source(registers, insn.src)
    check_source(registers, insn.dst)
    check_source(registers, into)
    check_destination(registers, into, mark=False)
    check_read(env, insn.dst, insn.off, size, into)
    check_write(env, insn.dst, insn.off, size, UNKNOWN)
