# SPDX-License-Identifier: MIT
"""`hil debug --lockstep`: a script's programs, instruction by instruction, on one lane against the model."""

from __future__ import annotations

from pathlib import Path

from harness.lane import Lane
from harness.lockstep.checking import Checked, check
from harness.lockstep.recording import lockstep_lane
from harness.lockstep.selftest import self_test
from harness.named import named
from harness.run.needs import unmet
from harness.session import Listener, prepare
from hil.errors import UserError


def in_lockstep(lane: Lane, name: str, folder: Path, listener: Listener) -> Checked:
    """Boots a lane, makes sure that its records can be believed, and runs a script in lockstep."""
    bootable = prepare(lane.kernel, lane.arch, listener)
    _, script = named(name, lane.arch, bootable.kernel.era)
    listener.note(f"booting {bootable.kernel}")
    with lockstep_lane(lane, bootable, folder, listener) as ready:
        if reason := unmet(script.needs, ready.environment):
            raise UserError(f"{lane} cannot run {script.name}: {reason}", remedy="choose another script or lane")
        listener.note(f"self-test: {self_test(ready).examined.sentence}")
        return check(ready, script)
