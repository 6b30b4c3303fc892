"""What somebody who writes tests imports: operations, pieces of scripts, and the types of the plugin's fixtures.

    from harness.testing import LaneGuest, array, count_hits, on_our_prctl, op, prctl, probed, read_u64

    def test_attach_twice(guest: LaneGuest) -> None:
        attached = probed(on_our_prctl(guest.registers, count_hits()))
        guest.check(array("hits"), *attached, op.Attach(op.Ref("event"), op.Ref("program")), prctl(), read_u64("hits"))

`op` has every operation, `asm` every instruction for programs of one's own; `harness.script.triggers` says which kernel
functions can be reached on every kernel.
"""

from harness.essentials.parts import (
    array,
    count_hits,
    element,
    kprobe_program,
    on_our_prctl,
    prctl,
    probed,
    read_u64,
    u32,
    u64,
)
from harness.isa import assemble as asm
from harness.lane import Engine, Lane
from harness.model.executor import ModelExecutor
from harness.pytest_plugin.guest import Diverged, LaneGuest, ScriptLost, Unjudged
from harness.script import operations as op
from harness.script.clause import expect
from harness.script.operations import Script
from harness.script.outcome import Outcome, Unpredicted
from hil.machine import Machine

__all__ = [
    "Diverged",
    "Engine",
    "Lane",
    "LaneGuest",
    "Machine",
    "ModelExecutor",
    "Outcome",
    "Script",
    "ScriptLost",
    "Unjudged",
    "Unpredicted",
    "array",
    "asm",
    "count_hits",
    "element",
    "expect",
    "kprobe_program",
    "on_our_prctl",
    "op",
    "prctl",
    "probed",
    "read_u64",
    "u32",
    "u64",
]
