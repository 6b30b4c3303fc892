# SPDX-License-Identifier: MIT
"""Compares the guest's runs of programs with the model's, instruction by instruction.

Numbers are compared as numbers, numbers of which the model knows some bits in those, and pointers by region and offset:
all pointers into one region must have one base. What the model does not know is counted, never compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace

from harness.isa.instruction import Instruction
from harness.isa.opcodes import FRAME_POINTER, R0, R6, R7, R8, R9, REGISTERS
from harness.lockstep.actual import LOCAL, GuestRun, GuestStep
from harness.lockstep.decided import culprit, undecided
from harness.lockstep.effects import written
from harness.lockstep.expected import ModelRun, ModelStep, Stack
from harness.lockstep.inside import CALL, EXIT
from harness.model.memory import Region
from harness.model.unpredictable import UNDECIDED
from harness.model.value import M64, Partial, Pointer, Value

_WAY = "the next instruction"
_KNOWN = bytes([0xFF, *[0] * 255])
"""By what `Region.image` says of a byte, the bits of it that are known."""
UNSET = "a register that the function has not given a value"
KEPT = frozenset({R6, R7, R8, R9})
"""What a function of the program leaves its caller."""


@dataclass
class Coverage:
    """How much was compared: `runs` of programs, their `steps`, and in these whole or partly known `values`, `pointers`
    and `stack` bytes. `unknown` counts registers that the model does not know, by reason; `passed` the model's steps
    that the kernel reports no instruction for, by reason; `unmatched` the guest's runs that the model has none for."""

    runs: int = 0
    steps: int = 0
    values: int = 0
    pointers: int = 0
    stack: int = 0
    unmatched: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)

    def add(self, other: Coverage) -> None:
        for name in ("runs", "steps", "values", "pointers", "stack", "unmatched"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.unknown += other.unknown
        self.passed += other.passed


@dataclass(frozen=True)
class Parting:
    """Where a run parts from the model: `what` differs after the model's step number `after` (-1: at its begin), as
    seen before step number `at` of the model and `guest_at` of the guest. `removed` marks a step `after` that is a
    branch which the kernel's verifier removed."""

    what: str
    model: str
    guest: str
    after: int
    at: int
    guest_at: int
    removed: bool = False


@dataclass(frozen=True)
class Compared:
    """One run: the model's, the guest's reading that is nearest to it (none when the guest did not run it), and where
    they part, None when they do not."""

    model: ModelRun
    guest: Sequence[GuestStep]
    parting: Parting | None


class Comparison:
    """Compares runs; addresses of regions are kept from one to the next, as far as the regions live on."""

    def __init__(self, refused: Collection[tuple[Instruction, ...]] = ()) -> None:
        """Makes a comparison; `refused` are programs that a JIT compiler left to the interpreter, of which no run is
        seen."""
        self.coverage = Coverage()
        self._refused = refused
        self._bases: dict[int, tuple[Region, int]] = {}
        self._counted = self.coverage

    def compare(self, model: Sequence[ModelRun], guest: Sequence[GuestRun]) -> list[Compared]:
        """Returns one result for each run of the model."""
        compared = []
        for expected, actual in _pairs(model, guest):
            if actual is None and expected.program in self._refused:
                self.coverage.passed["the JIT compiler left the program to the interpreter"] += len(expected.steps)
                compared.append(Compared(expected, (), None))
                continue
            if actual is None and _is_other_way(expected, compared):
                # The executor follows both ways of a comparison that it cannot decide, one after the other.
                self.coverage.passed["another way of a comparison that the model cannot decide"] += len(expected.steps)
                compared.append(Compared(expected, (), None))
                continue
            if actual is None:
                parting = Parting("the run", f"{len(expected.steps)} instructions", "none: it was not run", -1, 0, 0)
                compared.append(Compared(expected, (), parting))
                continue
            compared.append(self._best(expected, actual))
            self.coverage.runs += 1
        self.coverage.unmatched += len(guest) - self.coverage.runs
        return compared

    def _best(self, model: ModelRun, guest: GuestRun) -> Compared:
        tried = []
        bases = dict(self._bases)
        readings = [one for one in guest.readings if _is_of(one, model)] or guest.readings
        for reading in readings:
            self._bases, self._counted = dict(bases), Coverage()
            parting = self._run(model.steps, reading)
            tried.append((parting is not None, -(parting.at if parting else 0), self._bases, self._counted, parting))
        chosen = min(range(len(tried)), key=lambda number: tried[number][:2])
        _, _, self._bases, counted, parting = tried[chosen]
        self.coverage.add(counted)
        return Compared(model, readings[chosen], parting)

    def _run(self, model: Sequence[ModelStep], guest: Sequence[GuestStep]) -> Parting | None:
        """Returns where a run parts, at the branch that the verifier removed where that is the cause; None when it does
        not, or not by what the model knows."""
        parting = self._parting(model, guest)
        if parting is None:
            return None
        branch = culprit(model, parting.after, parting.at, guest, parting.guest_at)
        decisive = parting.after if branch is None and parting.what == _WAY else branch
        if decisive is not None and decisive >= 0 and undecided(model[decisive]):
            self._counted.passed["the model does not know which way a jump goes"] += len(model) - parting.at
            return None
        return parting if branch is None else replace(parting, after=branch, removed=True)

    def _parting(self, model: Sequence[ModelStep], guest: Sequence[GuestStep]) -> Parting | None:
        at, last = 0, -1
        frames = _Frames()
        for number, expected in enumerate(model):
            step = expected.step
            unset = frames.unset
            frames.follow(step.instruction)
            actual = guest[at] if at < len(guest) else None
            program = actual.program if actual else guest[-1].program
            if step.program == program.instructions and step.pc not in program.kept:
                self._counted.passed["the kernel removed or replaced it"] += 1
                continue
            if actual is None:
                return Parting(_WAY, str(step.pc), "the program's end", last, number, at)
            if step.first and number and not actual.entry and step.pc not in actual.indexes:
                self._counted.passed["a tail call enters behind it"] += 1
                continue
            if step.program != program.instructions or step.pc not in actual.indexes:
                went = str(actual.index)
                if step.program != program.instructions:
                    went += f" of another program, {program.name}"
                return Parting(_WAY, str(step.pc), went, last, number, at)
            if differs := self._state(expected, actual, unset):
                return Parting(*differs, last, number, at)
            self._counted.steps += 1
            last = number
            at += not stays(model, number, actual)
        if at < len(guest) and not model[-1].step.stop and not _shared_exit(model[-1], guest[at:]):
            return Parting(_WAY, "the program's end", str(guest[at].index), last, len(model), at)
        return None

    def _state(self, expected: ModelStep, actual: GuestStep, unset: Collection[int]) -> tuple[str, str, str] | None:
        """Returns what differs before a step, with both values, but for registers without a value; None when nothing
        does."""
        for number in range(REGISTERS):
            if number in unset:
                self._counted.unknown[UNSET] += 1
                continue
            if actual.entry and number == FRAME_POINTER:
                continue  # the prologue sets it
            if differs := self._value(expected.step.before[number], actual.registers[number]):
                return f"R{number}", *differs
        if expected.stack is not None and actual.stack is not None:
            return self._stack(expected.stack, actual.stack)
        return None

    def _stack(self, model: Stack, guest: bytes) -> tuple[str, str, str] | None:
        """Compares the bytes of a stack, from its lowest one: whole numbers, and what is known of bytes that are parts
        of an address or of a number that is known in part."""
        known = int.from_bytes(model.unknown.translate(_KNOWN), "little")
        value = int.from_bytes(model.content, "little") & known
        compared = len(guest) - sum(model.unknown)
        for place, (whole, part) in model.parts.items():
            bits, mask = self._byte(whole, part)
            value, known = value | bits << 8 * place, known | mask << 8 * place
            compared += mask > 0
        differing = (value ^ int.from_bytes(guest, "little")) & known
        if not differing:
            self._counted.stack += compared
            return None
        place = ((differing & -differing).bit_length() - 1) // 8
        mask = known >> 8 * place & 0xFF
        right = f"{value >> 8 * place & mask:#x}" + ("" if mask == 0xFF else f" in the bits {mask:#x}")
        return f"the stack at r10{place - len(guest):+d}", right, f"{guest[place]:#x}"

    def _byte(self, value: Value, part: int) -> tuple[int, int]:
        """Returns what is known of byte number `part` of a value, from the lowest one: its bits, and which of them are
        known; of an address all, once its region has been met."""
        number, mask = 0, 0
        if isinstance(value, Pointer) and id(value.region) in self._bases:
            _, base = self._bases[id(value.region)]
            number, mask = base + value.offset, M64
        elif isinstance(value, Partial):
            number, mask = value.value, ~value.mask & M64
        elif isinstance(value, int):
            number, mask = value, M64
        known = mask >> 8 * part & 0xFF
        return number >> 8 * part & known, known

    def _value(self, model: Value, guest: int) -> tuple[str, str] | None:
        """Returns both values where they differ."""
        if isinstance(model, int):
            self._counted.values += 1
            return None if model == guest else (f"{model:#x}", f"{guest:#x}")
        if isinstance(model, Pointer):
            self._counted.pointers += 1
            base = (guest - model.offset) & M64
            _, bound = self._bases.setdefault(id(model.region), (model.region, base))
            if bound == base:
                return None
            name = model.region.name
            return f"{name}{model.offset:+d}", f"{name}{_signed(guest - bound):+d} ({guest:#x})"
        if isinstance(model, Partial):
            known = ~model.mask & M64
            if known:
                self._counted.values += 1
                if (guest ^ model.value) & known:
                    return f"{model.value:#x} in the bits {known:#x}", f"{guest:#x}"
            else:
                self._counted.unknown[model.why] += 1
        return None


class _Frames:
    """Follows a run into the program's functions and out of them. `unset` are the registers that the present one has
    not given a value to: an interpreter gives each function registers of its own, a JIT leaves it those of its caller,
    and none may be read."""

    def __init__(self) -> None:
        self._all: list[frozenset[int]] = [frozenset()]

    @property
    def unset(self) -> frozenset[int]:
        return self._all[-1]

    def follow(self, one: Instruction) -> None:
        """Takes the state behind an instruction."""
        if one.code == CALL and one.src == LOCAL:
            self._all.append(frozenset({R0, *KEPT}))
        elif one.code == EXIT and len(self._all) > 1:
            self._all.pop()
            self._all[-1] -= {R0}
        else:
            self._all[-1] -= written(one)


def stays(model: Sequence[ModelStep], number: int, guest: GuestStep) -> bool:
    """Returns whether the model's next step is at the guest's same one as its step `number`: of instructions that begin
    at one address, only the last has code. Those that the kernel does not have are passed over."""
    place = guest.indexes.index(model[number].step.pc)
    for following in (one.step for one in model[number + 1 :]):
        if following.program != guest.program.instructions:
            return False
        if following.pc in guest.program.kept:
            return following.pc in guest.indexes[place + 1 :]
    return False


def _shared_exit(last: ModelStep, left: Sequence[GuestStep]) -> bool:
    """Returns whether all that the guest did further was to leave by an exit's code, as a JIT's code does that ends a
    program without one: 4.1's at a division by zero."""
    if len(left) != 1 or last.step.instruction.code == EXIT:
        return False
    (one,) = left
    return bool(one.program.code.native) and one.program.instructions[one.indexes[-1]].code == EXIT


def _signed(number: int) -> int:
    number &= M64
    return number - (number >> 63 << 64)


def _is_other_way(run: ModelRun, compared: Sequence[Compared]) -> bool:
    """Returns whether a run of the model is the way that the kernel did not go at a comparison: one of its program did
    run, and this one ends at such a comparison."""
    return run.stop.startswith(UNDECIDED) and any(one.guest and one.model.program == run.program for one in compared)


def _pairs(model: Sequence[ModelRun], guest: Sequence[GuestRun]) -> Iterable[tuple[ModelRun, GuestRun | None]]:
    """Yields each run of the model with the guest's, in the order of both. Where the guest has more runs of a program,
    since others than the script reach its probe as well, those that went the model's way are taken."""
    left = list(guest)
    for number, expected in enumerate(model):
        fitting = [one for one in left if any(_is_of(reading, expected) for reading in one.readings)]
        same_program = sum(one.program == expected.program for one in model[number:])
        spare = len(fitting) - same_program
        chosen = next((one for one in fitting[: spare + 1] if _went(one, expected)), fitting[0] if fitting else None)
        if chosen is not None:
            left = left[left.index(chosen) + 1 :] if len(guest) > len(model) and spare > 0 else _without(left, chosen)
        yield expected, chosen


def _without(runs: list[GuestRun], one: GuestRun) -> list[GuestRun]:
    return [other for other in runs if other is not one]


def _is_of(reading: Sequence[GuestStep], model: ModelRun) -> bool:
    return bool(reading) and reading[0].program.instructions == model.program


def _went(run: GuestRun, model: ModelRun) -> bool:
    """Returns whether the guest's run went the model's way."""
    for reading in run.readings:
        if not _is_of(reading, model):
            continue
        kept = reading[0].program.kept
        way = [one.step.pc for one in model.steps if one.step.pc in kept]
        if way == [index for step in reading for index in step.indexes]:
            return True
    return False
