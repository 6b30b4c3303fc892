# SPDX-License-Identifier: MIT
"""Instructions that no verifier since 5.10 comes to, whatever it says of the rest of the program.

The paths of the proof are followed also where nothing is shown: whatever an instruction may have changed there is
`ANYTHING` afterwards, of which nothing is learned, so that every path that some verifier takes is among them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, R0, R5, STACK_SIZE, Class, Jump, Mode, Source
from harness.model.verifier.context import VerifierContext
from harness.model.verifier.hooks import VerifierRules
from harness.model.verifier.later import functions
from harness.model.verifier.later.safety.contents import ANYTHING, Content, Frame, Kind, Pointer, State, Unshown
from harness.model.verifier.later.safety.explore import explore
from harness.model.verifier.later.safety.layout import Layout, target_of
from harness.model.verifier.later.safety.numbers import Number, constant
from harness.model.verifier.later.safety.steps import Branch, Steps

_JUMPS = frozenset({Class.JMP.value, Class.JMP32.value})


def unreached(
    program: Sequence[Instruction], context: VerifierContext, rules: VerifierRules, instructions: Collection[int]
) -> bool:
    """Returns whether it is shown that no verifier comes to one of these instructions."""
    try:
        found = explore(_Overlooking(program, context, rules), Layout(program), until=instructions)
    except Unshown:
        return False
    return found.came_to.isdisjoint(instructions)


class _Overlooking(Steps):
    """The instructions of a program, of which none is refused."""

    def step(self, state: State, index: int) -> tuple[int | None, Branch | None]:
        before = state.copy()
        try:
            following, branch = super().step(state, index)
        except Unshown:
            state.frames, state.held, state.vague = before.frames, frozenset(), before.vague
            return self._overlooked(state, index)
        if self._forgotten(before, index):
            state.top.registers[self._program[index].dst] = ANYTHING
        if branch is not None and not self._follows(before, index):
            state.vague = branch[0].vague = True
        return following, branch

    def _forgotten(self, state: State, index: int) -> bool:
        """Returns whether a load reads a slot of which nothing is known. Where a release lets programs read what nobody
        stored that is a number, but it may have been forgotten: a pointer, from comparisons of which verifiers learn
        nothing."""
        insn = self._program[index]
        base = state.top.registers[insn.src]
        if insn.opcode_class != Class.LDX or not isinstance(base, Pointer) or base.kind is not Kind.STACK:
            return False
        return (STACK_SIZE + base.off + insn.off) // 8 not in state.frames[base.frame].stack

    def _follows(self, state: State, index: int) -> bool:
        """Returns whether a comparison shows verifiers no more than it shows here: of numbers, one with a constant."""
        insn, registers = self._program[index], state.top.registers
        left = registers[insn.dst]
        right = registers[insn.src] if insn.source is Source.X else constant(insn.imm)
        if isinstance(left, Number) and isinstance(right, Number):
            return right.known
        return not any(isinstance(one, Pointer) and one.kind is Kind.ANYTHING for one in (left, right))

    def _constant(self, index: int) -> Content:
        try:
            return super()._constant(index)
        except Unshown:
            return ANYTHING

    def _overlooked(self, state: State, index: int) -> tuple[int | None, Branch | None]:
        """Goes on behind an instruction of which it is not known what it does."""
        insn, top = self._program[index], state.top
        kind, operation = insn.opcode_class, insn.operation
        if kind in _JUMPS and operation == Jump.JA:
            return target_of(index, insn), None
        if kind in _JUMPS and operation not in (Jump.CALL, Jump.EXIT):
            state.vague = True
            return index + 1, (state.copy(), target_of(index, insn))
        if functions.is_local(insn) or (len(state.frames) > 1 and kind in _JUMPS and operation == Jump.EXIT):
            raise Unshown("a function that is called, or ends, in a way that is not looked into")
        if kind in _JUMPS and operation == Jump.EXIT:
            return None, None
        ended = _ended(state) if len(state.frames) > 1 and functions.may_end(insn) else None
        if kind == Class.LD or kind in _JUMPS:
            top.registers[R0 : R5 + 1] = [ANYTHING] * 6
        changed = [insn.dst]
        if kind in (Class.ST, Class.STX) or kind in _JUMPS:
            _forget(state.frames)
            changed = [R0, insn.dst, insn.src] if insn.mode == Mode.ATOMIC and kind == Class.STX else []
        for register in changed:
            if register < FRAME_POINTER:
                top.registers[register] = ANYTHING
        return index + 1, ended


def _ended(state: State) -> Branch:
    """Returns the path on which a tail call, or a load from the packet, ends a function."""
    behind = state.copy()
    back = behind.frames.pop().back
    _forget(behind.frames)
    behind.top.registers[R0] = ANYTHING
    return behind, back


def _forget(frames: Sequence[Frame]) -> None:
    """Takes all that is on the stack for what is not known."""
    for frame in frames:
        frame.stack.clear()
