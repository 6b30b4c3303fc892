# SPDX-License-Identifier: MIT
"""How much there is to simulate where no path is ever left out because another one was like it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Jump
from harness.model.verifier.later.functions import is_local

MOST_SIMULATED = 1_000_000
"""BPF_COMPLEXITY_LIMIT_INSNS, include/linux/bpf.h since 5.2 (c04c0d2b968a): more simulated instructions are E2BIG. Up
to it no release need find two states alike; beyond it, whether a program is accepted hangs on which ones it does."""
ENDLESS = MOST_SIMULATED + 1
_JMP = Class.JMP.value


def most_simulated(program: Sequence[Instruction]) -> int:
    """Instructions on all paths of a program of 4.1's opcodes, each counted once a path that comes to it; `ENDLESS` for
    more than verifiers simulate, and for loops."""
    counts: dict[int, tuple[int, int]] = {}
    """By index: instructions on all paths from there to the end of the function, and how many paths these are."""
    under_way: set[int] = set()
    todo = [0]
    while todo:
        index = todo[-1]
        needed = list(_following(program, index))
        missing = [at for at in needed if at not in counts]
        if index in counts or not missing:
            todo.pop()
            under_way.discard(index)
            counts[index] = _sum(program[index], [counts[at] for at in needed])
            continue
        under_way.add(index)
        if any(at in under_way or not 0 <= at < len(program) for at in missing):
            return ENDLESS
        todo += missing
    return counts[0][0]


def _following(program: Sequence[Instruction], index: int) -> Iterator[int]:
    """Where a path goes on; behind a call of the program's own, the function comes first."""
    insn = program[index]
    operation = insn.operation
    if insn.opcode_class != _JMP:
        yield index + (2 if insn.code == LD_IMM64 else 1)
    elif operation == Jump.CALL:
        if is_local(insn):
            yield index + 1 + insn.imm
        yield index + 1
    elif operation != Jump.EXIT:
        yield index + 1 + insn.off
        if operation != Jump.JA:
            yield index + 1


def _sum(insn: Instruction, following: Sequence[tuple[int, int]]) -> tuple[int, int]:
    if not following:
        return 1, 1
    if insn.code == Class.JMP | Jump.CALL and len(following) > 1:
        (inside, ways), (behind, ends) = following
        simulated, paths = 1 + inside + ways * behind, ways * ends
    else:
        simulated, paths = 1 + sum(count for count, _ in following), sum(paths for _, paths in following)
    return min(simulated, ENDLESS), min(paths, ENDLESS)
