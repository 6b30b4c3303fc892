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
    `across`; `because` says why."""

    reason: str
    across: Differing
    because: str


_ONE_RELEASE = Differing.ENGINE | Differing.ARCH
LOADS = (
    Grounds(
        r"how much memory|how many pages|whether there is so much memory|whether a map of \d+ bytes",
        Differing.NOTHING,
        "memory is shared with others who use it at the same time",
    ),
    Grounds(
        r"the number of .* was closed|.* is not a descriptor|which number a name",
        Differing.NOTHING,
        "which numbers descriptors get depends on what else is open",
    ),
    Grounds(
        r"",
        _ONE_RELEASE,
        "the verifier of one release decides by the program's text; later ones learn, and take or refuse more",
    ),
)
"""For loads, the first that matches."""
OTHERS = (
    Grounds(
        r"whether the kernel has (a function|the tracepoint) ",
        Differing.ENGINE,
        "which symbols there are is a kernel's own matter",
    ),
    Grounds(r"whether an instruction begins there", Differing.ENGINE, "a compiler decided it"),
    Grounds(
        r"the model does not parse commands of kprobe_events|what (prctl\(2\)|ioctl 0x[0-9a-f]+|command \d+) do",
        Differing.ENGINE,
        "one and the same kernel reads the same input; engines have no part in it",
    ),
    Grounds(
        r"the model (has no rules for maps of type|does not know what map_flags|has no rule for flags) ",
        _ONE_RELEASE,
        "one release makes and reads maps in the same way on every architecture",
    ),
    Grounds(
        r"with which errno this release refuses|which flags of an update are looked at first|"
        r"changed between [\d.]+ and [\d.]+, ",
        _ONE_RELEASE,
        "releases do it in different ways; which one this release has is the same on all its lanes",
    ),
)
"""For all other operations; where none matches, nothing is compared."""


def across(operation: Operation, reason: str) -> Differing:
    """In what lanes may differ that are held against each other on this operation, for which the model has no
    prediction for this reason; NOTHING when none may be."""
    rows: Sequence[Grounds] = LOADS if is_load(operation) else OTHERS
    return next((row.across for row in rows if re.match(row.reason, reason)), Differing.NOTHING)
