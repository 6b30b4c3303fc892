# SPDX-License-Identifier: MIT
"""The memory that a socket grants its filter: net/core/sock.c and filter.c, sk_filter_charge().

The size of a filter is that of its program after the verifier, which replaces some instructions by several and takes
out those that no path reaches.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, Alu, Class, Jump, Mode
from harness.model.interface.context_uses import context_uses
from harness.model.rules import Upstream

MOST_PATCHED = 32
"""INSN_BUF_SIZE, include/linux/bpf_verifier.h: the most instructions that replace one; 16 until 6.10."""
_EXIT = Class.JMP | Jump.EXIT
_COMPUTING = (Class.ALU.value, Class.ALU64.value)
_JUMPING = (Class.JMP.value, Class.JMP32.value)
_DIVIDING = (Alu.DIV.value, Alu.MOD.value)
_CALL, _IMM, _LD, _LDX = Jump.CALL.value, Mode.IMM.value, Class.LD.value, Class.LDX.value


def takes(rules: Upstream, program: Sequence[Instruction]) -> bool | None:
    """Returns whether a socket takes the filter; None where that depends on what the verifier makes of the program."""
    if _fits(rules, _longest(program, None)):  # wherever the context may be, which takes time to find out
        return True
    least, most = lengths(program)
    if _fits(rules, most):
        return True
    return None if _fits(rules, least) else False


def _fits(rules: Upstream, length: int) -> bool:
    """__sk_filter_charge(): returns whether it is less than all there is."""
    return rules.program_header + 8 * length < rules.option_memory


def lengths(program: Sequence[Instruction]) -> tuple[int, int]:
    """Returns the least and the greatest number of instructions that the program may have after the verifier."""
    most = _longest(program, context_uses(program))
    straight = most == len(program) and all(insn.code == _EXIT or not _jumps(insn) for insn in program)
    return len(program) if straight else 1, most


def _longest(program: Sequence[Instruction], uses: frozenset[int] | None) -> int:
    replaced = sum([_may_be_replaced(index, insn, uses) for index, insn in enumerate(program)])
    return len(program) + (MOST_PATCHED - 1) * replaced


def _jumps(insn: Instruction) -> bool:
    return insn.opcode_class in _JUMPING


def _may_be_replaced(index: int, insn: Instruction, uses: frozenset[int] | None) -> bool:
    """Returns whether the verifier may replace it: calls, divisions, loads from packets, and accesses to what may be
    the context."""
    kind, operation = insn.opcode_class, insn.operation
    if kind in _JUMPING:
        return operation == _CALL
    if kind in _COMPUTING:
        return operation in _DIVIDING
    if kind == _LD:
        return insn.mode != _IMM
    if uses is None:
        return (insn.src if kind == _LDX else insn.dst) != FRAME_POINTER
    return index in uses
