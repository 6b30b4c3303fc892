# SPDX-License-Identifier: MIT
"""`bpf model`."""

from __future__ import annotations

from collections.abc import Iterator

from harness.debug.inside.data import RunData, StepData, ValueData
from harness.debug.inside.guest import M64, memory
from harness.debug.inside.place import Place, exactly, registers
from harness.debug.inside.session import Run, Session
from harness.debug.inside.told import Command, at_most, say
from harness.isa.opcodes import FRAME_POINTER
from hil.errors import UserError


class Model(Command):
    """Show what the model has before the next instruction, beside what the kernel has; `*` marks what differs:
    bpf model."""

    name = "bpf model"

    def run(self, words: list[str]) -> None:
        at_most(words, 0, self.name)
        place = exactly(self.session)
        run, expected, step = self._here(place)
        say(f"{place}: run {run.number}, step {run.at + 1} of {len(expected.steps)}")
        actual = registers(self.session, place)
        for number, (value, there) in enumerate(zip(step.registers, actual, strict=True)):
            shown = "not set before the prologue" if there is None else f"{there:#x}"
            mark = "*" if there is not None and differs(self.session, value, there) else " "
            say(f"{mark} R{number:<3} {value.text:<24} {shown}")
        say(*_stack(step, actual[FRAME_POINTER]))

    def _here(self, place: Place) -> tuple[Run, RunData, StepData]:
        """Returns the run under way, the model's, and the model's step in it."""
        run, expected = self.session.run, self.session.expected()
        if self.session.data.model:
            raise UserError(f"the model has nothing to compare with: {self.session.data.model}")
        if run is None:
            raise UserError("where this run began was not seen", remedy="stop before the program begins")
        if expected is None:
            raise UserError(
                f"the model has no run {run.number} of {run.loaded.data.name}",
                remedy="others than the script may reach its probe",
            )
        start = max(run.at, 0) + (1 if run.moved and run.at >= 0 else 0)
        for at in range(start, len(expected.steps)):
            step = expected.steps[at]
            if step.program == place.loaded.number and step.pc in place.indexes:
                run.at, run.moved = at, False
                return run, expected, step
        why = f", since it stopped: {expected.stop}" if expected.stop else ""
        raise UserError(f"the model does not come to instruction {place.index} any more in this run{why}")


def differs(session: Session, value: ValueData, there: int) -> bool:
    """Returns whether a register of the kernel is another one than the model's. Pointers into one region must have one
    base."""
    if value.region is None:
        return bool((there ^ value.value) & ~value.mask & M64)
    base = (there - value.value) & M64
    return session.bases.setdefault(value.region, base) != base


def _stack(step: StepData, top: int | None) -> Iterator[str]:
    """Yields the bytes of the stack that the model knows, by rows of words."""
    for offset, known in step.stack if top is not None else ():
        expected = bytes.fromhex(known)
        actual = memory((top or 0) + offset, len(expected))
        yield f"{'*' if expected != actual else ' '} r10{offset:<+5} {expected.hex():<20} {actual.hex()}"
