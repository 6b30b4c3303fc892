# SPDX-License-Identifier: MIT
"""Accesses of programs on several CPUs to the same memory at the same time.

Orders of whole operations cover everything whose effects add up, such as atomic additions. Where a program reads what
another CPU writes, the order of the instructions counts, too. One such case has a known answer: programs that add to
what they read and store the sum. Some of their additions are lost, and nobody knows how many.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, Atomic, Class, Helper, Jump, Mode
from harness.model.concurrency.origins import Origins
from harness.model.interpreter import Step
from harness.model.memory import Region
from harness.model.value import Pointer, Value

CALL = Class.JMP | Jump.CALL

LOOKING = frozenset({Helper.MAP_LOOKUP_ELEM, Helper.PERF_EVENT_OUTPUT, Helper.GET_SMP_PROCESSOR_ID})
"""Helpers that change nothing that CPUs share: a perf event takes output on its own CPU only."""


class Use(Enum):
    """The kind of access to a location in memory."""

    READ = "read"
    STORE = "overwritten"
    ADD = "added to, atomically"
    INCREMENT = "read, added to and stored"
    LOOKUP = "looked up in"
    OTHER = "changed by what it holds"


HARMLESS = ({Use.READ}, {Use.ADD, Use.STORE, Use.LOOKUP})
"""The kinds of access to one location by several CPUs that the orders of whole operations cover."""


@dataclass
class Uses:
    """The accesses of one CPU to one location. `amounts` are those of the additions, one each."""

    kinds: set[Use] = field(default_factory=set)
    amounts: list[int] = field(default_factory=list)

    def add(self, use: Use, amounts: Iterable[int] = ()) -> None:
        self.kinds.add(use)
        self.amounts += amounts


@dataclass(frozen=True)
class Contended:
    """A number to which several CPUs added, losing some of each other's additions."""

    region: Region
    offset: int
    size: int
    least: int
    most: int


Place = tuple[Region, int, int]
"""A region, and the offsets in it at which the location begins and ends."""


class Witness:
    """Observes every instruction of programs that run in concurrent threads, and what the threads themselves do to
    arrays.

    Programs of threads that share a CPU run one after the other.
    """

    def __init__(self) -> None:
        self._cpu = 0
        self._stack: Region | None = None
        self._used: defaultdict[Place, defaultdict[int, Uses]] = defaultdict(lambda: defaultdict(Uses))
        self._read: dict[Place, Value] = {}
        self._origins: Origins[Place] = Origins()

    def __call__(self, step: Step) -> None:
        """Takes one instruction of a program; the instructions of one run come together."""
        if step.pc == 0:
            self._end_run()
        instruction, before = step.instruction, step.before
        frame = before[FRAME_POINTER]
        self._stack = frame.region if isinstance(frame, Pointer) else None
        base = instruction.src if instruction.opcode_class == Class.LDX else instruction.dst
        for decisive in self._origins.step(instruction, _place(before[base], instruction)):
            self._use(decisive, Use.READ)
        match instruction.opcode_class:
            case Class.LDX:
                if place := _place(before[instruction.src], instruction):
                    self._read[place] = step.after[instruction.dst]
            case Class.ST | Class.STX:
                if place := _place(before[instruction.dst], instruction):
                    stored = before[instruction.src] if instruction.opcode_class == Class.STX else instruction.imm
                    if instruction.mode == Mode.ATOMIC:
                        self._atomic(place, instruction.imm, stored)
                    else:
                        self._store(place, stored)
            case Class.JMP if instruction.code == CALL and instruction.src == 0:
                self._call(instruction.imm, before[1:6])

    def move(self, cpu: int) -> None:
        """Attributes what follows to this CPU."""
        self._end_run()
        self._cpu = cpu

    def overwritten(self, region: Region) -> None:
        """Records that a system call stored into the whole of `region`, which may be a map's handle."""
        self._use((region, 0, region.size), Use.STORE)

    def end(self) -> tuple[str, tuple[Contended, ...]]:
        """Returns why nothing can be known of what was done (empty when something can), and the numbers that lost
        additions."""
        self._end_run()
        why, contended = "", []
        shared = {place: uses for place, uses in self._used.items() if len(uses) > 1 or self._overlaps(place)}
        for place, uses in shared.items():
            kinds = set().union(*(used.kinds for used in uses.values()))
            if self._overlaps(place) and kinds != {Use.READ}:
                why = "CPUs use overlapping memory at the same time"
            elif any(kinds <= harmless for harmless in HARMLESS):
                continue
            elif kinds <= {Use.ADD, Use.INCREMENT} and (found := _lossy(place, uses.values())):
                contended.append(found)
            else:
                why = f"what one CPU uses is {' and '.join(sorted(kind.value for kind in kinds))} by several"
        return why, tuple(contended)

    def _end_run(self) -> None:
        """Counts every location that was read and not stored again as read for its own sake, as what decided anything
        was."""
        for place in self._read:
            self._use(place, Use.READ)
        self._read.clear()
        self._origins = Origins()

    def _use(self, place: Place, use: Use, amounts: Iterable[int] = ()) -> None:
        if place[0] is not self._stack:
            self._used[place][self._cpu].add(use, amounts)

    def _store(self, place: Place, stored: Value) -> None:
        if place not in self._read:
            self._use(place, Use.STORE)
            return
        read = self._read.pop(place)
        if isinstance(read, int) and isinstance(stored, int):
            self._use(place, Use.INCREMENT, [_signed(stored - read, place)])
        else:
            self._use(place, Use.OTHER)

    def _atomic(self, place: Place, kind: int, operand: Value) -> None:
        if kind == Atomic.ADD and isinstance(operand, int):
            self._use(place, Use.ADD, [_signed(operand, place)])
        else:
            self._use(place, Use.OTHER)

    def _call(self, helper: int, arguments: Iterable[Value]) -> None:
        """Treats whatever a helper is given the address of, and is not known to leave alone, as changed in any way."""
        use = Use.LOOKUP if helper in LOOKING else Use.OTHER
        for argument in arguments:
            if isinstance(argument, Pointer):
                self._use((argument.region, 0, argument.region.size), use)

    def _overlaps(self, place: Place) -> bool:
        """Returns whether another CPU uses a part of the location in another shape."""
        region, start, end = place
        return any(
            of is region
            and (first, last) != (start, end)
            and first < end
            and start < last
            and len(uses.keys() | self._used[place].keys()) > 1
            for (of, first, last), uses in self._used.items()
        )


def _lossy(place: Place, uses: Iterable[Uses]) -> Contended | None:
    """Returns the bounds of a number to which CPUs added, not all of them atomically; None when there are no such
    bounds, as when what a CPU adds is not always the same.

    Every CPU's last addition may store what it made of a number read long ago, but not of one from before its own first
    addition: where each adds twice or more, at least two additions are left.
    """
    region, start, end = place
    uses = tuple(uses)
    amounts = [amount for used in uses for amount in used.amounts]
    now = region.load(start, end - start)
    constant = all(len(set(used.amounts)) == 1 for used in uses)
    if not constant or not isinstance(now, int) or min(amounts) <= 0 or now < sum(amounts):
        return None
    left = 2 if all(len(used.amounts) > 1 for used in uses) else 1
    return Contended(region, start, end - start, now - sum(amounts) + left * min(amounts), now)


def _signed(number: int, place: Place) -> int:
    """Returns the number in two's complement of the location's size."""
    bits = 8 * (place[2] - place[1])
    low = number & (1 << bits) - 1
    return low - (1 << bits) if low >> bits - 1 else low


def _place(address: Value, instruction: Instruction) -> Place | None:
    """Returns the location of an access through `address`."""
    if not isinstance(address, Pointer):
        return None
    start = address.offset + instruction.off
    return address.region, start, start + instruction.size.nbytes
