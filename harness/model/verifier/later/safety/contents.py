# SPDX-License-Identifier: MIT
"""What registers and slots of the stack hold at one point of a path."""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple

from harness.isa.opcodes import FRAME_POINTER, R1, R5, REGISTERS
from harness.model.verifier.context import MapShape
from harness.model.verifier.later.safety.numbers import Number
from harness.model.verifier.rules import Rule


class Unshown(Exception):
    """Raised where it is not shown that every verifier goes on; says why."""


class Certain(Unshown):
    """Raised where every verifier that comes here refuses the program, by this rule and with EINVAL."""

    def __init__(self, rule: Rule, message: str) -> None:
        super().__init__(message)
        self.rule = rule


class Kind(Enum):
    """What a pointer points to."""

    CONTEXT = auto()
    STACK = auto()
    MAP = auto()
    """A map itself."""
    VALUE = auto()
    """The value of a map."""
    RECORD = auto()
    """What a program reserved in a ring buffer."""
    ANYTHING = auto()
    """Whatever it is, a number as well."""


class Pointer(NamedTuple):
    """A pointer, `off` to `off + spread` bytes from the beginning of what it points to; on the stack, from the frame's
    end. `of` is the map, `size` the bytes of a record, `frame` the depth of the function whose stack it is. `id` is the
    call that gave it; with `maybe` it may be null."""

    kind: Kind
    off: int = 0
    spread: int = 0
    of: MapShape | None = None
    size: int = 0
    frame: int = 0
    id: int = 0
    maybe: bool = False

    def covers(self, other: Pointer) -> bool:
        """Returns whether every place the other may point to is one of this."""
        here, there = (one._replace(off=0, spread=0) for one in (self, other))
        within = self.off <= other.off and other.off + other.spread <= self.off + self.spread
        return here == there and within and (self.kind is Kind.VALUE or self.off == other.off)


ANYTHING = Pointer(Kind.ANYTHING)
"""Of what nothing is known."""
Content = Number | Pointer | None
"""None: nobody wrote it, and no instruction may read it."""
Slot = Number | Pointer | bytes
"""A constant, or a pointer, stored in one piece; else the kind of each byte."""
INVALID, PLAIN, ZERO = 0, 1, 2
"""Kinds of bytes on the stack: nothing was stored, a number, a zero."""


class Frame:
    """A function that is running: its registers, and the slots of its stack by number from the lowest address. `begin`
    is its first instruction, `back` where its caller goes on."""

    __slots__ = ("back", "begin", "registers", "stack")

    def __init__(self, begin: int, back: int, registers: list[Content], stack: dict[int, Slot]) -> None:
        self.begin = begin
        self.back = back
        self.registers = registers
        self.stack = stack

    @classmethod
    def entered(cls, begin: int, back: int, depth: int, arguments: list[Content]) -> Frame:
        """Returns the frame of a function that begins, with R1 to R5."""
        registers: list[Content] = [None] * REGISTERS
        registers[R1 : R5 + 1] = arguments
        registers[FRAME_POINTER] = Pointer(Kind.STACK, frame=depth)
        return cls(begin, back, registers, {})

    def copy(self) -> Frame:
        return Frame(self.begin, self.back, self.registers.copy(), self.stack.copy())


class State:
    """The functions that are running, the innermost last, and the calls whose records are to be released. It is `vague`
    behind a comparison that shows what is not followed here: if the path is never taken, verifiers may come to bounds
    of numbers that contradict each other, and then know less than here."""

    __slots__ = ("frames", "held", "vague")

    def __init__(self, frames: list[Frame], held: frozenset[int] = frozenset(), *, vague: bool = False) -> None:
        self.frames = frames
        self.held = held
        self.vague = vague

    @classmethod
    def at_entry(cls) -> State:
        context = Pointer(Kind.CONTEXT)
        return cls([Frame.entered(0, -1, 0, [context, None, None, None, None])])

    @property
    def top(self) -> Frame:
        return self.frames[-1]

    def copy(self) -> State:
        return State([frame.copy() for frame in self.frames], self.held, vague=self.vague)

    @property
    def callers(self) -> tuple[int, ...]:
        """Returns where each function goes on in its caller."""
        return tuple(frame.back for frame in self.frames)

    def holds(self, id: int) -> bool:
        """Returns whether a pointer that a call gave is still anywhere."""
        return any(
            isinstance(one, Pointer) and one.id == id
            for frame in self.frames
            for one in (*frame.registers, *frame.stack.values())
        )

    def replace(self, id: int, become: Content) -> None:
        """Takes all copies of the pointer that a call gave for something else: with None, for what cannot be read."""
        for frame in self.frames:
            for number, one in enumerate(frame.registers):
                if isinstance(one, Pointer) and one.id == id:
                    frame.registers[number] = _moved(one, become)
            for number, slot in frame.stack.items():
                if isinstance(slot, Pointer) and slot.id == id:
                    new = _moved(slot, become)
                    frame.stack[number] = bytes(8) if new is None else new

    def covers(self, other: State) -> bool:
        """Returns whether everything shown of this state holds for the other one, which has the same callers."""
        if other.vague and not self.vague:
            return False
        return self.held == other.held and all(map(_covers, self.frames, other.frames))


def _moved(pointer: Pointer, become: Content) -> Content:
    """Returns what a copy becomes, which is as far away as it was."""
    return become._replace(off=pointer.off, spread=pointer.spread) if isinstance(become, Pointer) else become


def _covers(old: Frame, new: Frame) -> bool:
    for before, now in zip(old.registers, new.registers, strict=True):
        if not (before is None or before == now or _content_covers(before, now)):
            return False
    return all(
        slot == new.stack.get(number) or _slot_covers(slot, new.stack.get(number)) for number, slot in old.stack.items()
    )


def _content_covers(before: Content, now: Content | bytes) -> bool:
    if before is ANYTHING:
        return True
    if isinstance(before, Number):
        return isinstance(now, Number) and before.covers(now)
    return isinstance(before, Pointer) and isinstance(now, Pointer) and before.covers(now)


def _slot_covers(before: Slot, now: Slot | None) -> bool:
    if not isinstance(before, bytes):
        return now is not None and _content_covers(before, now)
    if isinstance(now, Number):
        return ZERO not in before
    return isinstance(now, bytes) and all(
        old in (INVALID, new) or (old == PLAIN and new == ZERO) for old, new in zip(before, now, strict=True)
    )
