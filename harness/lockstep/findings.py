# SPDX-License-Identifier: MIT
"""What lockstep finds, as data for reports and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


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

    `run` counts the program's runs from 1, `step` its executed instructions from 0; `instruction` is the number in the
    program of the one after which `what` differs, -1 when it did before the first. `around` has the instructions before
    and after, `native` the machine code of the one.
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


@dataclass(frozen=True)
class Examined:
    """A script in lockstep: how many `runs` of programs with how many `steps` were compared, and in them how many
    `values`, `pointers` and bytes of the `stack`; `left_out` says what was not compared, and why; `note` why nothing
    was.
    """

    runs: int = 0
    steps: int = 0
    values: int = 0
    pointers: int = 0
    stack: int = 0
    left_out: tuple[str, ...] = ()
    difference: Difference | None = None
    note: str = ""

    @property
    def sentence(self) -> str:
        """Returns what was compared, and whether it differs."""
        if self.note:
            return f"not compared: {self.note}"
        counts = f"{self.runs} runs, {self.steps} steps, {self.values} values, {self.pointers} pointers"
        return f"{counts}, {self.stack} bytes of stack: {'different' if self.difference else 'equal'}"


def lines(found: Examined) -> Iterator[str]:
    """Yields the lines of what was found: the difference, and what was not compared."""
    yield f"lockstep with the model: {found.sentence}"
    if found.difference:
        yield from difference_lines(found.difference)
    yield from (f"not compared: {one}" for one in found.left_out)


def difference_lines(found: Difference) -> Iterator[str]:
    """Yields the lines of a difference, the first of which names the instruction."""
    where = f"after instruction {found.instruction}, {found.text}" if found.instruction >= 0 else "at its begin"
    yield f"{found.program}, run {found.run}, step {found.step}: {where}"
    yield f"{found.what}: model {found.model}, kernel {found.guest}"
    width = max((len(line.text) for line in found.around), default=0)
    for line in found.around:
        yield f"{'>' if line.here else ' '} {line.number:4}: {line.text:{width}}  {_sides(line)}".rstrip()
    yield from (f"  native {line}" for line in found.native)


def most(counts: Sequence[tuple[str, int]], what: str) -> Iterator[str]:
    """Yields a line for each reason, the most frequent first."""
    yield from (f"{count} {what}: {reason}" for reason, count in sorted(counts, key=lambda one: -one[1]))


def _sides(line: Line) -> str:
    if line.model == line.guest or not line.guest:
        return line.model
    return f"model {line.model or 'nothing'}; kernel {line.guest}"
