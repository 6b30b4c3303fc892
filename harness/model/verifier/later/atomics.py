"""Atomic operations that put what was there into a register: check_atomic(), kernel/bpf/verifier.c of 5.12."""

from __future__ import annotations

from functools import cache

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Mode
from harness.model.verifier.environment import Environment
from harness.model.verifier.hooks import Check
from harness.model.verifier.memory import check_read, check_write, check_xadd_fields
from harness.model.verifier.state import UNKNOWN, check_destination, check_source


@cache
def fetching(check_stx: Check) -> Check:
    """The arm of STX. The register that is put into is read before."""

    def check(env: Environment, index: int, insn: Instruction) -> int:
        into = env.fetches.get(index)
        if into is None or insn.mode != Mode.ATOMIC:
            return check_stx(env, index, insn)
        size = check_xadd_fields(insn)
        registers = env.state.registers
        check_source(registers, insn.src)
        check_source(registers, insn.dst)
        check_source(registers, into)
        check_destination(registers, into, mark=False)
        check_read(env, insn.dst, insn.off, size, into)
        check_write(env, insn.dst, insn.off, size, UNKNOWN)
        return index + 1

    return check
