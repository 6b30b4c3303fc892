# SPDX-License-Identifier: MIT
"""Where a program may go behind an instruction."""

from __future__ import annotations

from collections.abc import Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class, Helper, Jump, Mode, Pseudo
from harness.lockstep.inside import CALL, EXIT

_LOCAL = 1
"""`src` of a call of the program's own function: BPF_PSEUDO_CALL."""
_JUMPS = (Class.JMP, Class.JMP32)


def functions(program: Sequence[Instruction]) -> tuple[int, ...]:
    """Returns the first instruction of each of the program's own functions, of the program itself first."""
    called = {
        index + 1 + one.imm
        for index, one in enumerate(program)
        if (one.code == CALL and one.src == _LOCAL) or (one.code == LD_IMM64 and one.src == Pseudo.FUNCTION)
    }
    return (0, *sorted(called))


def ways(program: Sequence[Instruction], index: int) -> tuple[frozenset[int], bool]:
    """Returns the instructions that may be next, and whether the program may end or another one take over instead."""
    one = program[index]
    following = index + (2 if one.code == LD_IMM64 else 1)
    if one.code == EXIT:
        return _behind_function(program, index)
    if one.opcode_class == Class.LD and one.mode in (Mode.ABS, Mode.IND):
        behind, leaves = _behind_function(program, index)  # from behind the packet's end
        return behind | {following}, leaves
    if one.code == CALL:
        if one.src == _LOCAL:
            return frozenset({index + 1 + one.imm}), False
        return frozenset({following}), one.src == 0 and one.imm == Helper.TAIL_CALL
    if one.opcode_class in _JUMPS:
        always = one.operation == Jump.JA
        distance = one.imm if always and one.opcode_class is Class.JMP32 else one.off
        return frozenset({following + distance} if always else {following, following + distance}), False
    return frozenset({following}), False


def _behind_function(program: Sequence[Instruction], index: int) -> tuple[frozenset[int], bool]:
    """Returns where the function that an instruction is in returns to, and whether that may be the kernel."""
    mine = max(start for start in functions(program) if start <= index)
    if mine == 0:
        return frozenset(), True
    # A function that was passed to a helper has no call of its own: it returns to the kernel.
    calls = {at + 1 for at, other in enumerate(program) if _calls(other, at) == mine}
    return frozenset(calls), not calls


def _calls(one: Instruction, at: int) -> int | None:
    return at + 1 + one.imm if one.code == CALL and one.src == _LOCAL else None
