# SPDX-License-Identifier: MIT
"""The interface for tests: operations, pieces of scripts, and the types of the plugin's fixtures.

    from harness.testing import LaneGuest, array, count_hits, on_our_prctl, op, prctl, probed, read_u64

    def test_attach_twice(guest: LaneGuest) -> None:
        attached = probed(on_our_prctl(guest.registers, count_hits()))
        guest.check(array("hits"), *attached, op.Attach(op.Ref("event"), op.Ref("program")), prctl(), read_u64("hits"))

`op` has every operation, `asm` every instruction for programs of one's own; `assemble` takes the notation of the
verifier's log; `guest.attach` takes a program of an object file, and gives back handles of its maps.
`harness.script.triggers` says which kernel functions can be reached on every kernel.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import (
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
from harness.isa.text import assemble
from harness.lane import Engine, Lane
from harness.pytest_plugin.failures import Diverged, LoadFailed, ProbeFailed, ScriptLost, UnexpectedFailure, Unjudged
from harness.script import operations as op
from harness.script.clause import expect
from harness.script.expectation import Expectation
from harness.script.operations import Script
from harness.script.outcome import Outcome, PerCpu, Unpredicted

if TYPE_CHECKING:
    from harness.debug.bpf_session import Debugger as Debugger
    from harness.fuzz.finding.files import read as read_finding
    from harness.model.executor import ModelExecutor
    from harness.programs.object_file import read as read_object
    from harness.pytest_plugin.guest import LaneGuest
    from harness.pytest_plugin.objects import Loaded, MapHandle
    from hil.machine import Machine

__all__ = [
    "Debugger",
    "Diverged",
    "Engine",
    "Expectation",
    "Lane",
    "LaneGuest",
    "LoadFailed",
    "Loaded",
    "Machine",
    "MapHandle",
    "ModelExecutor",
    "Outcome",
    "PerCpu",
    "ProbeFailed",
    "PtRegs",
    "Script",
    "ScriptLost",
    "UnexpectedFailure",
    "Unjudged",
    "Unpredicted",
    "array",
    "asm",
    "assemble",
    "count_hits",
    "element",
    "expect",
    "kprobe_program",
    "on_our_prctl",
    "op",
    "prctl",
    "probed",
    "read_finding",
    "read_object",
    "read_u64",
    "u32",
    "u64",
]

# What imports the model, the bench or a reader of object files is loaded when it is asked for.
_LATER = {
    "Debugger": ("harness.debug.bpf_session", "Debugger"),
    "LaneGuest": ("harness.pytest_plugin.guest", "LaneGuest"),
    "Loaded": ("harness.pytest_plugin.objects", "Loaded"),
    "Machine": ("hil.machine", "Machine"),
    "MapHandle": ("harness.pytest_plugin.objects", "MapHandle"),
    "ModelExecutor": ("harness.model.executor", "ModelExecutor"),
    "read_finding": ("harness.fuzz.finding.files", "read"),
    "read_object": ("harness.programs.object_file", "read"),
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _LATER[name]
    return getattr(import_module(module), attribute)
