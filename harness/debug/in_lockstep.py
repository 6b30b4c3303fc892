# SPDX-License-Identifier: MIT
"""`hil debug --lockstep`: a script's programs, instruction by instruction, on lanes, the model and other lanes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.debug.subject import subject
from harness.lane import Lane
from harness.lockstep.checking import EMPTY, NOTHING, check
from harness.lockstep.findings import MODEL, Examined, lines
from harness.lockstep.pairing import against
from harness.lockstep.recording import lockstep_machine
from harness.lockstep.selftest import self_test
from harness.lockstep.taken import Taken, taken
from harness.run.needs import unmet
from harness.session import Listener, prepare
from hil.errors import UserError

UNREACHED = (
    "a program is compared where an operation of its script is known to reach it; put that of an object on a function "
    "with a trigger (hil check --help lists them), or look at it without the model: hil debug LANE --interactive "
    "--script OBJECT:PROGRAM"
)
"""What to do where there was nothing to compare with the model."""


@dataclass(frozen=True)
class Held:
    """What a lane did, held against the model or against another lane."""

    lane: str
    other: str
    examined: Examined

    def lines(self) -> Iterator[str]:
        """Yields it as text."""
        yield from lines(self.examined, self.other)
        if self.other == MODEL and not self.examined.refused and self.examined.note in (EMPTY, NOTHING):
            yield UNREACHED


def in_lockstep(lanes: Sequence[Lane], name: str, folder: Path, listener: Listener) -> Iterator[tuple[Held, Taken]]:
    """Boots the lanes one after the other, makes sure that their records can be believed, and runs a script on each in
    lockstep with the model. Lanes of one kernel that are named in a row share a machine."""
    left = list(lanes)
    while left:
        kernel, arch = left[0].kernel, left[0].arch
        bootable = prepare(kernel, arch, listener)
        script = subject(name, bootable.kernel).script
        listener.note(f"booting {bootable.kernel}")
        with lockstep_machine(kernel, bootable, folder / f"{kernel}-{arch}", listener) as machine:
            while left and (left[0].kernel, left[0].arch) == (kernel, arch):
                lane = left.pop(0)
                ready = machine.lane(lane.engine)
                if reason := unmet(script.needs, ready.environment):
                    raise UserError(f"{lane} cannot run {script.name}: {reason}", remedy="choose another of them")
                listener.note(f"self-test: {self_test(ready).examined.sentence}")
                checked = check(ready, script)
                yield Held(str(lane), MODEL, checked.examined), taken(str(lane), script.name, checked.recorded)


def held(left: Taken, right: Taken) -> Held:
    """Holds two lanes against each other; errors as `harness.lockstep.pairing.against`."""
    return Held(left.lane, right.lane, against(left, right))
