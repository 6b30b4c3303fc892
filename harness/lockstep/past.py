# SPDX-License-Identifier: MIT
"""Going back: what a recorded run had in registers, on the stack and in maps before any of its instructions.

A record has the registers and the stack before every executed instruction, so the past needs no machine and no reverse
execution. Maps are what the run itself read and wrote of their entries until then: between runs, and on other CPUs,
others may change them, of which a program's record knows nothing.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, REGISTERS, STACK_SIZE, Atomic, Class, Helper, Mode
from harness.isa.text import listing
from harness.lockstep.effects import Registers, frame_offset
from harness.lockstep.findings import AROUND
from harness.lockstep.inside import CALL
from harness.lockstep.taken import Taken, TakenStep
from harness.model.value import M64
from hil.errors import UserError

_WORD = 8
_ATOMICS: Mapping[int, Callable[[int, int], int]] = {
    Atomic.ADD: operator.add,
    Atomic.OR: operator.or_,
    Atomic.AND: operator.and_,
    Atomic.XOR: operator.xor,
}
_UNKNOWN = ".."
"""A byte of a map's value that the run neither read nor wrote."""


@dataclass(frozen=True)
class Entry:
    """An entry of a map, by its key: the bytes of its value that the run read or wrote last, None for others."""

    map: str
    key: bytes
    value: tuple[int | None, ...]


@dataclass(frozen=True)
class Moment:
    """A recorded run before one of its executed instructions.

    `run` counts from 1, `step` from 0, as in what lockstep finds; `steps` is how many the run has. `registers` are R0
    to R10, None where a prologue had not made R10; `changed` those that are other than before the instruction before.
    `stack` has the 512 bytes below R10, None where they could not be read; `written` the offsets in it of the words
    that the run changed. `maps` are the entries that it met.
    """

    lane: str
    script: str
    run: int
    step: int
    steps: int
    program: str
    instruction: int
    registers: tuple[int | None, ...]
    changed: frozenset[int]
    stack: bytes | None
    written: tuple[int, ...]
    maps: tuple[Entry, ...]
    pointers: dict[int, str] = field(default_factory=dict, hash=False)
    """The names of what registers point to, as far as the run showed them."""
    around: tuple[tuple[int, str, bool], ...] = ()
    """The instructions executed before and after: number, text, and whether it is the one."""


def moment(taken: Taken, run: int, step: int) -> Moment:
    """Returns what a recorded script had before step `step` (from 0; negative ones count from the end) of its run `run`
    (from 1). Raises UserError when there is none."""
    if not 1 <= run <= len(taken.runs):
        raise UserError(
            f"{taken.script} on {taken.lane} has {len(taken.runs)} recorded runs, and no run {run}",
            remedy="they count from 1",
        )
    steps = taken.runs[run - 1]
    at = step + len(steps) if step < 0 else step
    if not 0 <= at < len(steps):
        raise UserError(
            f"run {run} of {taken.script} on {taken.lane} has the steps 0 to {len(steps) - 1}, and no step {step}",
            remedy="-1 is the last one",
        )
    here, before = steps[at], steps[at - 1] if at else None
    changed = {
        number
        for number in range(REGISTERS)
        if before is not None and here.registers[number] != before.registers[number]
    }
    seen = _Seen(taken)
    for one, following in pairwise(steps[: at + 1]):
        seen.follow(one, following)
    return Moment(
        taken.lane,
        taken.script,
        run,
        at,
        len(steps),
        here.program,
        here.index,
        here.registers,
        frozenset(changed),
        here.stack,
        tuple(_written(taken, steps[: at + 1])),
        tuple(seen.entries()),
        seen.names(here.registers),
        tuple(_around(taken, steps, at)),
    )


def overview(taken: Taken) -> Iterator[str]:
    """Yields a line for each recorded run: where it may be gone back to."""
    yield f"{taken.script} on {taken.lane}: {len(taken.runs)} runs"
    for number, run in enumerate(taken.runs, 1):
        names = ", ".join(dict.fromkeys(step.program for step in run))
        yield f"run {number}: {names}, steps 0 to {len(run) - 1}"


def lines(one: Moment) -> Iterator[str]:
    """Yields a moment as text; `*` marks the registers that the instruction before changed."""
    yield f"{one.script} on {one.lane}, run {one.run}, before step {one.step} of 0 to {one.steps - 1}"
    yield from (f"{'>' if here else ' '} {number:4}: {text}" for number, text, here in one.around)
    for number, value in enumerate(one.registers):
        mark = "*" if number in one.changed else " "
        name = f"  {one.pointers[number]}" if number in one.pointers else ""
        yield f"{mark}R{number:<2} {'not yet known' if value is None else f'{value:#x}'}{name}"
    if one.stack is None:
        yield "the stack could not be read"
    else:
        for place in one.written:
            word = int.from_bytes(one.stack[place : place + _WORD], "little")
            yield f" r10{place - STACK_SIZE}: {word:#018x}"
    for entry in one.maps:
        content = "".join(_UNKNOWN if byte is None else f"{byte:02x}" for byte in entry.value)
        yield f" map {entry.map}[{entry.key.hex()}] = {content}"


def _around(taken: Taken, steps: Sequence[TakenStep], at: int) -> Iterator[tuple[int, str, bool]]:
    texts = {name: dict(listing(code)) for name, code in taken.programs.items()}
    for number in range(max(0, at - AROUND), min(len(steps), at + AROUND + 1)):
        step = steps[number]
        yield step.index, texts[step.program][step.index], number == at


def _written(taken: Taken, steps: Sequence[TakenStep]) -> Iterator[int]:
    """Yields the offsets of the words of the last step's stack that differ from what it was at first in this frame, or
    that were stored to."""
    last = steps[-1]
    own = [one for one in steps if one.registers[-1] == last.registers[-1] and one.stack is not None]
    if last.stack is None or not own:
        return
    first = own[0].stack or b""
    places = {
        place
        for place in range(0, STACK_SIZE, _WORD)
        if first[place : place + _WORD] != last.stack[place : place + _WORD]
    }
    for one in steps[:-1]:
        instruction = taken.programs[one.program][one.index]
        if instruction.opcode_class in (Class.ST, Class.STX) and one.registers[-1] == last.registers[-1]:
            place = frame_offset(one.registers, instruction.dst, instruction.off)
            if place is not None:
                places.add(place - place % _WORD)
    yield from sorted(places)


class _Seen:
    """What a run showed of maps until now: their addresses, those of their values, and the bytes of these."""

    def __init__(self, taken: Taken) -> None:
        self._taken = taken
        self._maps: dict[int, str] = {}
        self._values: dict[int, tuple[str, bytes]] = {}
        self._bytes: dict[tuple[str, bytes], list[int | None]] = {}

    def entries(self) -> Iterator[Entry]:
        for (name, key), value in sorted(self._bytes.items()):
            yield Entry(name, key, tuple(value))

    def names(self, registers: Registers) -> dict[int, str]:
        """Returns what registers point to, by their numbers."""
        found = {}
        for number, value in enumerate(registers):
            if value is None:
                continue
            place = self._place(value)
            if value in self._maps:
                found[number] = f"map {self._maps[value]}"
            elif place is not None:
                (name, key), offset = place
                found[number] = f"map {name}[{key.hex()}]+{offset}"
            elif number < REGISTERS - 1 and (offset_in := _in_frame(value, registers)) is not None:
                found[number] = f"r10{offset_in}" if offset_in else "r10"
        return found

    def follow(self, step: TakenStep, following: TakenStep) -> None:
        """Learn from an executed instruction, by the registers behind it."""
        one = self._taken.programs[step.program][step.index]
        after = following.registers
        if one.code == LD_IMM64:
            name = self._taken.maps.get(step.program, {}).get(step.index)
            address = after[one.dst]
            if name is not None and address is not None and following.program == step.program:
                self._maps[address] = name
        elif one.code == CALL and one.src == 0:
            self._call(one.imm, step, after[0])
        elif one.opcode_class is Class.LDX and one.mode == Mode.MEM:
            self._keep(one, step.registers[one.src], after[one.dst])
        elif one.opcode_class is Class.STX and one.mode == Mode.MEM:
            self._keep(one, step.registers[one.dst], step.registers[one.src])
        elif one.opcode_class is Class.ST and one.mode == Mode.MEM:
            self._keep(one, step.registers[one.dst], one.imm & M64)
        elif one.opcode_class is Class.STX:
            self._keep(one, step.registers[one.dst], self._atomic(one, step.registers, after))

    def _call(self, helper: int, step: TakenStep, result: int | None) -> None:
        name = self._maps.get(step.registers[1] or 0)
        key_size, value_size = self._taken.sizes.get(name or "", (0, 0))
        key = _stack_bytes(step, step.registers[2], key_size)
        if name is None or key is None:
            return
        if helper == Helper.MAP_LOOKUP_ELEM and result:
            self._bytes.setdefault((name, key), [None] * value_size)
            self._values[result] = name, key
        elif helper == Helper.MAP_UPDATE_ELEM and result == 0:
            value = _stack_bytes(step, step.registers[3], value_size)
            self._bytes[name, key] = [None] * value_size if value is None else list(value)
        elif helper == Helper.MAP_DELETE_ELEM and result == 0:
            self._bytes.pop((name, key), None)
            self._values = {address: place for address, place in self._values.items() if place != (name, key)}

    def _atomic(self, one: Instruction, before: Registers, after: Registers) -> int | None:
        """Returns what an atomic instruction leaves in memory, where the run showed what was there."""
        source = before[one.src]
        if source is None:
            return None
        if one.imm == Atomic.XCHG:
            return source
        kind = one.imm & ~Atomic.FETCH
        old = after[one.src] if one.imm & Atomic.FETCH else self._known(one, before[one.dst])
        if old is None or kind not in _ATOMICS:
            return None
        return _ATOMICS[kind](old, source)

    def _known(self, one: Instruction, base: int | None) -> int | None:
        place = None if base is None else self._place((base + one.off) & M64)
        if place is None:
            return None
        known = [byte for byte in self._bytes[place[0]][place[1] : place[1] + one.size.nbytes] if byte is not None]
        return int.from_bytes(bytes(known), "little") if len(known) == one.size.nbytes else None

    def _keep(self, one: Instruction, base: int | None, value: int | None) -> None:
        """Keeps what an access of the size of an instruction shows of a map's value; None for what is not known."""
        place = None if base is None else self._place((base + one.off) & M64)
        if place is None:
            return
        known, offset = self._bytes[place[0]], place[1]
        for number in range(one.size.nbytes):
            if offset + number < len(known):
                known[offset + number] = None if value is None else value >> 8 * number & 0xFF

    def _place(self, address: int) -> tuple[tuple[str, bytes], int] | None:
        """Returns the entry whose value has an address, and the offset in it."""
        for begin, entry in self._values.items():
            if entry in self._bytes and begin <= address < begin + max(1, len(self._bytes[entry])):
                return entry, address - begin
        return None


def _in_frame(value: int, registers: Registers) -> int | None:
    top = registers[-1]
    if top is None or not 0 <= top - value <= STACK_SIZE:
        return None
    return value - top


def _stack_bytes(step: TakenStep, address: int | None, size: int) -> bytes | None:
    """Returns bytes of the frame's stack; None when they are elsewhere."""
    top = step.registers[-1]
    if address is None or top is None or step.stack is None or not size:
        return None
    place = address - top + STACK_SIZE
    return step.stack[place : place + size] if 0 <= place <= STACK_SIZE - size else None
