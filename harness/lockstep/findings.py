# SPDX-License-Identifier: MIT
"""What lockstep finds, as data for reports and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.model.value import Partial, Value

AROUND = 5
"""The instructions before and after the one that differs."""
MODEL = "the model"
_SIDES = "model", "kernel"


@dataclass(frozen=True)
class Line:
    """An executed instruction: its number in the program, its text, the registers that it changed in the one and in the
    other; `here` marks the one after which both part."""

    number: int
    text: str
    model: str
    guest: str
    here: bool = False


@dataclass(frozen=True)
class Difference:
    """Where a run of a program in the guest parts from the model's.

    `run` counts the program's runs from 1, `cpu` is where it ran, `step` counts its executed instructions from
    0; `instruction` is the number in the
    program of the one after which `what` differs, -1 when it did before the first. `around` has the instructions before
    and after, `native` the machine code of the one. `removed` says what is known of that instruction where the kernel's
    verifier removed it. `sides` names both, where they are two lanes.
    """

    program: str
    run: int
    step: int
    instruction: int
    text: str
    what: str
    model: str
    guest: str
    around: tuple[Line, ...] = ()
    native: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    sides: tuple[str, str] = _SIDES
    cpu: int = 0


@dataclass(frozen=True)
class Examined:
    """A script in lockstep: how many `runs` of programs with how many `steps` were compared, and in them how many
    `values`, `pointers` and bytes of the `stack`; `left_out` says what was not compared, and why; `note` why nothing
    was. `cut_off` of the runs are compared up to where the model could not go on, so that they are equal so far only.
    `refused` says of each program that kernel or model refused which of them did, and why.
    """

    runs: int = 0
    steps: int = 0
    values: int = 0
    pointers: int = 0
    stack: int = 0
    left_out: tuple[str, ...] = ()
    difference: Difference | None = None
    note: str = ""
    cut_off: int = 0
    refused: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Returns whether something was compared, and every run to its end."""
        return not self.note and not self.cut_off

    @property
    def sentence(self) -> str:
        """Returns what was compared, and whether it differs."""
        if self.note:
            return f"not compared: {'; '.join(self.refused) or self.note}"
        equal = f"equal so far, {self.cut_off} of the runs not to their end" if self.cut_off else "equal"
        counts = f"{self.runs} runs, {self.steps} steps, {self.values} values, {self.pointers} pointers"
        return f"{counts}, {self.stack} bytes of stack: {'different' if self.difference else equal}"


def lines(found: Examined, other: str = MODEL) -> Iterator[str]:
    """Yields the lines of what was found: the difference from `other`, and what was not compared."""
    yield f"lockstep with {other}: {found.sentence}"
    if found.difference:
        yield from difference_lines(found.difference)
    others = () if found.note else found.refused  # which the first line has already
    yield from (f"not compared: {one}" for one in (*others, *found.left_out))


def difference_lines(found: Difference) -> Iterator[str]:
    """Yields the lines of a difference, the first of which names the instruction."""
    where = f"after instruction {found.instruction}, {found.text}" if found.instruction >= 0 else "at its begin"
    cpu = f" on CPU {found.cpu}" if found.cpu else ""
    yield f"{found.program}, run {found.run}{cpu}, step {found.step}: {where}"
    yield f"{found.what}: {found.sides[0]} {found.model}, {found.sides[1]} {found.guest}"
    yield from found.removed
    width = max((len(line.text) for line in found.around), default=0)
    for line in found.around:
        yield f"{'>' if line.here else ' '} {line.number:4}: {line.text:{width}}  {_sides(line, found.sides)}".rstrip()
    yield from (f"  native {line}" for line in found.native)


def text(value: Value) -> str:
    """Returns a register's value in the model: a number, a pointer by region and offset, or a question mark."""
    if isinstance(value, int):
        return f"{value:#x}"
    return "?" if isinstance(value, Partial) else repr(value).removeprefix("Pointer(").removesuffix(")")


def most(counts: Sequence[tuple[str, int]], what: str) -> Iterator[str]:
    """Yields a line for each reason, the most frequent first."""
    yield from (f"{count} {what}: {reason}" for reason, count in sorted(counts, key=lambda one: -one[1]))


def _sides(line: Line, sides: tuple[str, str]) -> str:
    if line.model == line.guest or not line.guest:
        return line.model
    return f"{sides[0]} {line.model or 'nothing'}; {sides[1]} {line.guest}"
