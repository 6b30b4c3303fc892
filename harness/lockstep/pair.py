# SPDX-License-Identifier: MIT
"""One run of a program on two lanes, step by step (`harness.lockstep.pairing`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, LD_IMM64, R0, R1, STACK_SIZE, Class
from harness.lockstep.actual import LOCAL
from harness.lockstep.effects import CLOBBERED, apart, calls, conditional, frame_offset, read, stored, written
from harness.lockstep.inside import CALL, EXIT
from harness.lockstep.taken import TakenStep
from harness.model.value import M64

_KERNEL = 0xFFFF << 48
_BEGIN = frozenset({R1, FRAME_POINTER})
Found = tuple[str, str, str]
"""What differs, and both values."""


@dataclass
class Counts:
    """How much was compared, and what was not, by reason."""

    steps: int = 0
    values: int = 0
    pointers: int = 0
    stack: int = 0
    outside: Counter[str] = field(default_factory=Counter)


@dataclass
class _Frame:
    """What is known of a function's state: the registers that have a value, and the bytes of the stack, from its lowest
    one, to which both sides stored the same."""

    defined: frozenset[int] = _BEGIN
    stack: frozenset[int] = frozenset()


class Pair:
    """One run on both lanes. Only instructions that both kernels kept are steps."""

    def __init__(
        self,
        programs: Mapping[str, Sequence[Instruction]],
        kept: Mapping[str, frozenset[int]],
        left: Sequence[TakenStep],
        right: Sequence[TakenStep],
    ) -> None:
        self.programs = programs
        self.left, self._left_alone = _common(left, kept)
        self.right, self._right_alone = _common(right, kept)
        self._frames = [_Frame()]

    def instruction(self, number: int) -> Instruction:
        """Returns the instruction of a step."""
        step = self.left[number]
        return self.programs[step.program][step.index]

    def compare(self, counts: Counts) -> tuple[int, Found] | None:
        """Returns the number of the step after which both part (-1: at the begin), with what differs; None when they do
        not."""
        if not (self.left and self.right):
            counts.outside["runs: on one lane or both, none of the instructions ran that both kernels kept"] += 1
            return None
        if _place(self.left, 0) != _place(self.right, 0):
            return -1, ("the first instruction", str(_place(self.left, 0)), str(_place(self.right, 0)))
        for number in range(len(self.left)):
            counts.steps += 1
            if _place(self.left, number + 1) != _place(self.right, number + 1):
                found = self._parted(number, counts)
                return (number, found) if found else None
            if number + 1 == len(self.left):
                return None
            if found := self._follow(number, counts):
                return number, found
        return None

    def _parted(self, number: int, counts: Counts) -> Found | None:
        """Returns the difference between two ways behind a step; None when it follows from values that differ, or is
        only an exit that a JIT's code leaves by."""
        one = self.instruction(number)
        left, right = self.left[number].registers, self.right[number].registers
        further = [step for run in (self.left, self.right) for step in run[number + 1 :]]
        if one.code != EXIT and [self.programs[step.program][step.index].code for step in further] == [EXIT]:
            return None
        if conditional(one) and any(left[each] != right[each] for each in read(one)):
            counts.outside["runs to their end: a jump by values that are different already"] += 1
            return None
        if one.code == CALL:
            counts.outside["runs to their end: a tail call that one of both did not make"] += 1
            return None
        return "the next instruction", _way(self.left, number + 1), _way(self.right, number + 1)

    def _follow(self, number: int, counts: Counts) -> Found | None:
        """Returns what differs behind a step that leads to the same instruction on both sides."""
        one = self.instruction(number)
        before, after = (self.left[number], self.right[number]), (self.left[number + 1], self.right[number + 1])
        if self._enters_or_leaves(one, after[0], number):
            return None
        frame = self._frames[-1]
        changes = written(one)
        alone = number in self._left_alone or number in self._right_alone
        kept = frame.defined - changes - (CLOBBERED if calls(one) else frozenset())
        frame.defined = kept | changes
        for each in sorted(frame.defined):
            left, right = after[0].registers[each], after[1].registers[each]
            if left is None or right is None:
                continue
            old = before[0].registers[each], before[1].registers[each]
            distance = (left - right) & M64
            must = self._must(one, before) if each in changes else None
            moved = each in kept and None not in old and old != (left, right)
            if not alone and (moved or (must is not None and must != distance)):
                return f"R{each}", f"{left:#x}", f"{right:#x}"
            if each in changes and distance and _outside(one):
                counts.outside[f"values: {_outside(one)} may be another one on each lane"] += 1
            counts.values += not distance
            counts.pointers += bool(distance) and min(left, right) >= _KERNEL
        return self._stack(one, before, after, alone, counts)

    def _must(self, one: Instruction, before: tuple[TakenStep, TakenStep]) -> int | None:
        """Returns how far apart the results must be: `apart`, and for loads from the stack by its content."""
        left, right = before
        if one.opcode_class is not Class.LDX:
            return apart(one, left.registers, right.registers)
        places = [frame_offset(step.registers, one.src, one.off) for step in before]
        if left.stack is None or right.stack is None or places[0] is None or places[0] != places[1]:
            return None
        content = slice(places[0], places[0] + one.size.nbytes)
        return 0 if left.stack[content] == right.stack[content] else None

    def _stack(
        self,
        one: Instruction,
        before: tuple[TakenStep, TakenStep],
        after: tuple[TakenStep, TakenStep],
        alone: bool,
        counts: Counts,
    ) -> Found | None:
        frame, (left, right) = self._frames[-1], (after[0].stack, after[1].stack)
        if left is None or right is None:
            return None
        store = stored(one, before[0].registers, before[1].registers) or range(0)
        source = 0 if one.opcode_class is Class.ST else one.src
        same = one.opcode_class is Class.ST or before[0].registers[source] == before[1].registers[source]
        if same:
            frame.stack |= frozenset(store)
        else:
            frame.stack -= frozenset(store)
        wrong = [place for place in sorted(frame.stack) if left[place] != right[place]]
        if wrong and not alone and one.code != CALL:
            place = wrong[0]
            return f"the stack at r10{place - STACK_SIZE:+d}", f"{left[place]:#x}", f"{right[place]:#x}"
        frame.stack -= frozenset(wrong)
        counts.stack += len(frame.stack)
        return None

    def _enters_or_leaves(self, one: Instruction, following: TakenStep, number: int) -> bool:
        """Returns whether a step leads into another function, or out of it; keeps what is known of frames."""
        if one.code == EXIT and len(self._frames) > 1:
            self._frames.pop()
            caller = self._frames[-1]
            caller.defined = caller.defined - CLOBBERED | {R0}
            caller.stack = frozenset()  # which a function may write to
            return True
        if one.code != CALL:
            return False
        if one.src == LOCAL:
            self._frames.append(_Frame(self._frames[-1].defined & CLOBBERED | {FRAME_POINTER}))
            return True
        here = self.left[number]
        if (following.program, following.index) != (here.program, here.index + 1) and following.index == 0:
            self._frames[-1] = _Frame()
            return True
        return False


def _common(
    run: Sequence[TakenStep], kept: Mapping[str, frozenset[int]]
) -> tuple[tuple[TakenStep, ...], frozenset[int]]:
    """Returns the steps of instructions that both kernels kept, and the numbers of those behind which this side alone
    has others."""
    steps: list[TakenStep] = []
    alone = set()
    for step in run:
        if step.index in kept[step.program]:
            steps.append(step)
        elif steps:
            alone.add(len(steps) - 1)
    return tuple(steps), frozenset(alone)


def _place(run: Sequence[TakenStep], number: int) -> tuple[str, int] | None:
    return (run[number].program, run[number].index) if number < len(run) else None


def _way(run: Sequence[TakenStep], number: int) -> str:
    return str(run[number].index) if number < len(run) else "the program's end"


def _outside(one: Instruction) -> str:
    """Returns what an instruction gives that comes from outside of the program; empty for arithmetic."""
    if one.code == CALL:
        return "the result of a helper"
    if one.code == LD_IMM64:
        return "an address"
    return "what is read from memory" if one.opcode_class in (Class.LDX, Class.STX, Class.LD) else ""


def changes(left: TakenStep, right: TakenStep) -> Iterator[int]:
    """Yields the registers in which two steps of one run are different."""
    for number, (first, second) in enumerate(zip(left.registers, right.registers, strict=True)):
        if first != second and first is not None and second is not None:
            yield number
