# SPDX-License-Identifier: MIT
"""Second pass: every jump lands inside, nothing loops, every instruction can be reached.

Source: check_cfg(), push_insn(), kernel/bpf/verifier.c of 4.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.isa.opcodes import Class, Jump, Source
from harness.model.verifier.environment import Environment
from harness.model.verifier.rules import Rule
from harness.model.verifier.verdict import Refused

_NEW, _DISCOVERED, _EXPLORED = range(3)
_JMP, _GOTO = Class.JMP.value, Class.JMP | Jump.JA
_CALL, _EXIT, _JA, _X = Jump.CALL.value, Jump.EXIT.value, Jump.JA.value, Source.X.value


def check_cfg(env: Environment) -> None:
    """Walks depth first from the first instruction, falling through before branching.

    Marks in `env.explored` where paths will be compared: targets of conditional jumps, and the instruction after a
    goto.
    """
    count = len(env.program)
    progress = [_NEW] * count
    walk: list[tuple[int, int, Iterator[tuple[int, int]]]] = []
    """Runs of instructions that follow each other, each with where its last one leads."""

    def enter(first: int) -> None:
        last = first
        progress[first] = _DISCOVERED
        while env.program[last].opcode_class != _JMP and last + 1 < count and progress[last + 1] == _NEW:
            last += 1
            progress[last] = _DISCOVERED
        env.at = last
        walk.append((first, last, enumerate(successors(env, last))))

    enter(0)
    while walk:
        first, source, edges = walk[-1]
        env.at = source
        for branch, target in edges:
            check_range(source, target, count)
            if branch:
                env.explored[target] = []
            check_loop(source, target, progress[target])
            if progress[target] == _NEW:
                enter(target)
                break
        else:
            if env.program[source].code == _GOTO and source + 1 < count:
                env.explored[source + 1] = []
            progress[first : source + 1] = [_EXPLORED] * (source + 1 - first)
            walk.pop()
    check_reached(env, progress)


def successors(env: Environment, index: int) -> tuple[int, ...]:
    """Returns where control goes from here; the taken side of a conditional jump, whatever its operation, comes second.

    A goto with the source bit set is refused without a message.
    """
    insn = env.program[index]
    if insn.opcode_class != _JMP:
        return (index + 1,)
    operation = insn.operation
    if operation == _CALL:
        return env.hooks.after_call(env, index)
    if operation == _EXIT:
        return ()
    if operation != _JA:
        return index + 1, index + insn.off + 1
    if insn.source == _X:
        raise Refused(Rule.JA_SOURCE, "EINVAL")
    return (index + insn.off + 1,)


def after_call(env: Environment, index: int) -> tuple[int, ...]:
    """Returns the instruction behind the call of a helper."""
    return (index + 1,)


def check_range(source: int, target: int, count: int) -> None:
    """Checks that a jump lands inside, and that control does not fall off the end."""
    if not 0 <= target < count:
        raise Refused(Rule.JUMP_RANGE, "EINVAL", f"jump out of range from insn {source} to {target}")


def check_loop(source: int, target: int, progress: int) -> None:
    """Refuses an edge back to an instruction that the walk is still inside of, which closes a loop."""
    if progress == _DISCOVERED:
        raise Refused(Rule.LOOP, "EINVAL", f"back-edge from insn {source} to {target}")


def check_reached(env: Environment, progress: Sequence[int]) -> None:
    """Checks that every instruction is reached; both halves of a 64 bit constant count."""
    for index, state in enumerate(progress):
        if state != _EXPLORED:
            env.at = index
            raise Refused(Rule.UNREACHABLE, "EINVAL", f"unreachable insn {index}")
