# SPDX-License-Identifier: MIT
"""On what grounds lanes are held against each other, and in what they may differ then.

The model says why it has no prediction. Where it lacks a rule, kernels that should behave alike can judge each other;
where the reason is that something differs by nature, no two runs need be alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.crosscheck.witness import Differing
from harness.crosscheck.words import is_load
from harness.script.operations import Operation
from harness.script.reason import Gap, gap_of


@dataclass(frozen=True)
class Grounds:
    """Lanes are compared that differ in no more than `across`; `because` says why. With `values` they have to give the
    same, else only to succeed or fail alike."""

    across: Differing
    because: str
    values: bool = False


_ONE_RELEASE = Differing.ENGINE | Differing.ARCH
_EVERYTHING = _ONE_RELEASE | Differing.RELEASE
_NUMBERS = Grounds(
    Differing.ENGINE,
    "a process gets the lowest number that is free, and has the same ones open on every lane of a machine",
)
_OWN_WAY = "releases do it in different ways; which one this release has is the same on all its lanes"
_VERIFIERS = Grounds(
    _ONE_RELEASE, "the verifier of one release decides by the program's text; later ones learn, and take or refuse more"
)
LOADS: Mapping[Gap, Grounds] = {Gap.VERDICT: _VERIFIERS, Gap.UNCHECKED: _VERIFIERS, Gap.NUMBER: _NUMBERS}
OTHERS: Mapping[Gap, Grounds] = {
    Gap.SYMBOLS: Grounds(
        Differing.ENGINE, "which functions there are, and what a compiler made of them, is a kernel's own matter"
    ),
    Gap.INPUT: Grounds(Differing.ENGINE, "one and the same kernel reads the same input; engines have no part in it"),
    Gap.NUMBER: _NUMBERS,
    Gap.MAPS: Grounds(
        _ONE_RELEASE, "one release makes and reads maps in the same way on every architecture", values=True
    ),
    Gap.INSTRUCTIONS: Grounds(
        _EVERYTHING,
        "what an instruction does is the instruction set's word, and the same on every kernel that has it",
        values=True,
    ),
    Gap.ORDER: Grounds(_ONE_RELEASE, _OWN_WAY),
    Gap.UNCHECKED: Grounds(_ONE_RELEASE, _OWN_WAY),
}
"""For loads and for all other operations, by what the model does not know. Where it is nothing of these, nothing is
compared: what the model cannot know for the sake of a time, an address, a number that nobody chose, differs from run to
run."""


def grounds(operation: Operation, reason: str) -> Grounds | None:
    """On what grounds lanes are held against each other on this operation, for which the model has no prediction for
    this reason; None when there are none."""
    gap = gap_of(reason)
    return None if gap is None else (LOADS if is_load(operation) else OTHERS).get(gap)
