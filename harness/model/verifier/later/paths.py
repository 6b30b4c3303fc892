# SPDX-License-Identifier: MIT
"""The number of instructions to simulate when no path is pruned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Jump
from harness.model.verifier.later.functions import is_local, may_end

MOST_SIMULATED = 1_000_000
"""BPF_COMPLEXITY_LIMIT_INSNS, include/linux/bpf.h since 5.2 (c04c0d2b968a): more simulated instructions are E2BIG. Up
to it no release needs to prune; beyond it, whether a program is accepted depends on which states it finds equal."""
ENDLESS = MOST_SIMULATED + 1
_JMP, _LD = Class.JMP.value, Class.LD.value
_CALL, _EXIT, _JA = Jump.CALL.value, Jump.EXIT.value, Jump.JA.value


def most_simulated(program: Sequence[Instruction]) -> int:
    """Returns the number of instructions on all paths of a program of 4.1's opcodes, each counted once for each path
    through it; `ENDLESS` for more than verifiers simulate, and for loops."""
    forward = _forward_only(program)
    return _any_way(program) if forward is None else forward


def _forward_only(program: Sequence[Instruction]) -> int | None:
    """Returns the number for a program all of whose jumps and calls lead forward, counted from its end, which takes
    much less time; None for any other program."""
    size = len(program)
    counts: list[tuple[int, int]] = [(0, 0)] * size
    """As in `_any_way`."""
    simulated = paths = 0
    for index in range(size - 1, -1, -1):
        insn = program[index]
        if insn.opcode_class == _JMP or insn.opcode_class == _LD:
            following = tuple(_following(program, index))
            for at in following:
                if not index < at < size:
                    return None
            simulated, paths = _sum(insn, [counts[at] for at in following])
        elif paths:
            simulated += 1
        else:  # control falls off the end
            return None
        counts[index] = simulated, paths
    return min(simulated, ENDLESS)


def _any_way(program: Sequence[Instruction]) -> int:
    counts: dict[int, tuple[int, int]] = {}
    """The instructions on all paths from an index to the end of the function, and the number of these paths, by
    index."""
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
    """Yields where a path goes on; behind a call of the program's own, the function comes first."""
    insn = program[index]
    operation = insn.operation
    if insn.opcode_class != _JMP:
        yield index + (2 if insn.code == LD_IMM64 else 1)
    elif operation == _CALL:
        if is_local(insn):
            yield index + 1 + insn.imm
        yield index + 1
    elif operation != _EXIT:
        yield index + 1 + insn.off
        if operation != _JA:
            yield index + 1


def _sum(insn: Instruction, following: Sequence[tuple[int, int]]) -> tuple[int, int]:
    if not following:
        return 1, 1
    simulated, paths = following[0]
    if len(following) > 1:
        more, ways = following[1]
        called = insn.operation == _CALL
        simulated, paths = (simulated + paths * more, paths * ways) if called else (simulated + more, paths + ways)
    if may_end(insn):
        paths += 1
    return min(simulated + 1, ENDLESS), min(paths, ENDLESS)
