# SPDX-License-Identifier: MIT
"""The ways that every verifier goes on at a comparison: is_branch_taken(), kernel/bpf/verifier.c of 5.10 and later."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import NamedTuple

from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump, Source
from harness.model.value import M64
from harness.model.verifier.later import pointers
from harness.model.verifier.later.feasible import Fact, outcomes, with_itself
from harness.model.verifier.state import CONST_IMM, PTR_TO_MAP_VALUE_OR_NULL, VALUE_SOMEWHERE, Register
from harness.script.operations import MapType

_JMP, _X = Class.JMP.value, Source.X.value
_JEQ, _JNE = Jump.JEQ.value, Jump.JNE.value
_INDEXED = frozenset({MapType.ARRAY, MapType.PERCPU_ARRAY})


class Ways(NamedTuple):
    """Whether every verifier goes on behind a comparison, and whether it also takes the jump."""

    falls_through: bool = False
    jumps: bool = False


_ways = cache(Ways)


def ways(
    insn: Instruction,
    original: Instruction,
    registers: Sequence[Register],
    facts: Mapping[int, Fact],
    *,
    knows_indices: bool,
) -> Ways:
    """Returns the ways of a comparison, as it is simulated and as it is in the program, of registers of which 4.1 knows
    their types, and of which `facts` are known; with `knows_indices` the verifier may know that an element of an array
    exists."""
    register, operation = registers[insn.dst], insn.operation
    constant = insn.source != _X
    equality = constant and operation in (_JEQ, _JNE)
    if equality and register.type is CONST_IMM and register.imm == insn.imm:
        if insn.imm >= 0:
            return _ways(True)  # or wherever 4.1 goes, which resumes nothing
        if original.opcode_class != _JMP:  # only the upper half may be another one
            return _ways(operation == _JNE, operation == _JEQ)
    if equality and insn.imm == 0 and register.type is PTR_TO_MAP_VALUE_OR_NULL:
        indexed = knows_indices and register.map is not None and register.map.type in _INDEXED
        return _ways(not indexed or operation == _JEQ, not indexed or operation == _JNE)
    if not constant and insn.dst == insn.src:
        same = with_itself(original)
        return _ways(same is False, same is True)
    left = facts.get(insn.dst)
    right = Fact(original.imm & M64) if constant else facts.get(insn.src)
    if left is not None and right is not None:
        found = outcomes(original, left, right)
        return _ways(False in found, True in found)
    other = None if constant else registers[insn.src]
    return _ways() if original.opcode_class != _JMP else _of_pointers(original, (register, other), (left, right))


def _of_pointers(
    insn: Instruction, registers: tuple[Register, Register | None], facts: tuple[Fact | None, Fact | None]
) -> Ways:
    """Of a comparison with a pointer verifiers know nothing, except that most are not 0."""
    known = [index for index, one in enumerate(registers) if one is not None and one.type in pointers.POINTERS]
    if not known or any(one is not None and one.type is VALUE_SOMEWHERE for one in registers):
        return _ways()
    if len(known) == 2 or insn.operation not in (_JEQ, _JNE):
        return _ways(True, True)
    pointer, number = registers[known[0]], facts[1 - known[0]]
    if number is None or number.bits:
        return _ways()
    if number.value:
        return _ways(True, True)
    if pointer is None or pointer.type is PTR_TO_MAP_VALUE_OR_NULL:
        return _ways()
    return _ways(insn.operation == _JEQ, insn.operation == _JNE)
