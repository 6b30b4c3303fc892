# SPDX-License-Identifier: MIT
"""On what grounds lanes are held against each other, and in what they may differ then.

The model says why it has no prediction. Where it lacks a rule, kernels that should behave alike can judge each other;
where the reason is that something differs by nature, no two runs need be alike.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.crosscheck.witness import Differing
from harness.crosscheck.words import is_load
from harness.script.operations import Operation


@dataclass(frozen=True)
class Grounds:
    """Reasons of the model that begin so (a regular expression) let lanes be compared that differ in no more than
    `across`; `because` says why. With `values` they have to give the same, else only to succeed or fail alike."""

    reason: str
    across: Differing
    because: str
    values: bool = False


_ONE_RELEASE = Differing.ENGINE | Differing.ARCH
_EVERYTHING = _ONE_RELEASE | Differing.RELEASE
LOADS = (
    Grounds(
        r"the checks taken over from 4\.1|instruction \d+ is |4\.1 has no functions|the program uses a map of a type|"
        r"the model has no verifier for programs|what the verifier says of the programs of the unprivileged|"
        r"which capabilities programs of this type take|changed between [\d.]+ and [\d.]+, ",
        _ONE_RELEASE,
        "the verifier of one release decides by the program's text; later ones learn, and take or refuse more",
    ),
)
OTHERS = (
    Grounds(
        r"whether the kernel has (a function|the tracepoint) |whether an instruction begins there",
        Differing.ENGINE,
        "which functions there are, and what a compiler made of them, is a kernel's own matter",
    ),
    Grounds(
        r"the model does not parse commands of kprobe_events|what (prctl\(2\)|ioctl 0x[0-9a-f]+|command \d+) do|"
        r"what these fields of the attribute mean|the model does not know all bits of the sample type|"
        r"the model has no rules for programs on samples|the model knows events of tracepoints only|"
        r"which pages of a perf event may be mapped",
        Differing.ENGINE,
        "one and the same kernel reads the same input; engines have no part in it",
    ),
    Grounds(
        r"the number of \w+, which was closed, may be|whether \w+ was closed, and its number is another's",
        Differing.ENGINE,
        "a process gets the lowest number that is free, and has the same ones open on every lane of a machine",
    ),
    Grounds(
        r"the model (has no rules for maps of type|does not know what map_flags|has no rule for flags) ",
        _ONE_RELEASE,
        "one release makes and reads maps in the same way on every architecture",
        values=True,
    ),
    Grounds(
        r"(the run depends on a value the model cannot know: )?the model has no rule for (?!helper )",
        _EVERYTHING,
        "what an instruction does is the instruction set's word, and the same on every kernel that has it",
        values=True,
    ),
    Grounds(
        r"with which errno this release refuses|which flags of an update are looked at first|"
        r"changed between [\d.]+ and [\d.]+, ",
        _ONE_RELEASE,
        "releases do it in different ways; which one this release has is the same on all its lanes",
    ),
)
"""For loads and for all other operations, the first that matches. Where none does, nothing is compared: what the model
cannot know for the sake of a time, an address, a number that nobody chose, differs from run to run."""


def grounds(operation: Operation, reason: str) -> Grounds | None:
    """On what grounds lanes are held against each other on this operation, for which the model has no prediction for
    this reason; None when there are none."""
    rows: Sequence[Grounds] = LOADS if is_load(operation) else OTHERS
    return next((row for row in rows if re.match(row.reason, reason)), None)
