# SPDX-License-Identifier: MIT
"""What generated cases have reached, as a report tells it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """How many of `known` things were met, and the names of the others; `ways` counts with how many operands and
    results each of them was, together."""

    met: int
    known: int
    ways: int
    missing: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.met} of {self.known}, in {self.ways} ways"


@dataclass(frozen=True)
class Covered:
    """Of the cases by the rules of one release and architecture (`era`, "6.1/arm64"): the instructions that ran, the
    helpers that were called, the rules that refused a program, and the types of operations."""

    era: str
    instructions: Part
    helpers: Part
    refusals: Part
    operations: Part
