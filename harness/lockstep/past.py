# SPDX-License-Identifier: MIT
"""Going back: what a recorded run had in registers, on the stack and in maps before any of its instructions.

A record has the registers and the stack before every executed instruction, so the past needs no machine and no reverse
execution. Maps are what the run itself read and wrote of their entries until then: between runs, and on other CPUs,
others may change them, of which a program's record knows nothing. An array that only the recorded runs write is known
from its creation on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from harness.isa.opcodes import REGISTERS, STACK_SIZE
from harness.isa.text import listing
from harness.lockstep.findings import AROUND
from harness.lockstep.frames import WORD, written
from harness.lockstep.seen import Seen
from harness.lockstep.taken import Taken, TakenStep
from hil.errors import UserError

_UNKNOWN = ".."
"""A byte of a map's value that nothing recorded shows."""


@dataclass(frozen=True)
class Entry:
    """An entry of a map, by its key: the bytes of its value as far as they are known, None for others."""

    map: str
    key: bytes
    value: tuple[int | None, ...]


@dataclass(frozen=True)
class Moment:
    """A recorded run before one of its executed instructions.

    `run` counts from 1, `step` from 0, as in what lockstep finds; `steps` is how many the run has. `registers` are R0
    to R10, None where a prologue had not made R10; `changed` those that are other than before the instruction before.
    `stack` has the 512 bytes below R10, None where they could not be read; `written` the offsets in it of the words
    that the program stored to, or had a helper write. `maps` are the entries that it met.
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
    seen = Seen(taken)
    for earlier in taken.runs[: run - 1] if taken.arrays else ():
        for one, following in pairwise(earlier):
            seen.follow(one, following)
        seen.end_run()
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
        tuple(written(taken, steps[: at + 1])),
        tuple(Entry(*entry) for entry in seen.entries()),
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
            word = int.from_bytes(one.stack[place : place + WORD], "little")
            yield f" r10{place - STACK_SIZE}: {word:#018x}"
    for entry in one.maps:
        content = "".join(_UNKNOWN if byte is None else f"{byte:02x}" for byte in entry.value)
        yield f" map {entry.map}[{entry.key.hex()}] = {content}"


def _around(taken: Taken, steps: Sequence[TakenStep], at: int) -> Iterator[tuple[int, str, bool]]:
    texts = {name: dict(listing(code)) for name, code in taken.programs.items()}
    for number in range(max(0, at - AROUND), min(len(steps), at + AROUND + 1)):
        step = steps[number]
        yield step.index, texts[step.program][step.index], number == at
