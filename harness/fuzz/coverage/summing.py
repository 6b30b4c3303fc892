# SPDX-License-Identifier: MIT
"""What was reached, of what there is."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import get_args

from harness.fuzz.coverage.observing import HELPER, INSTRUCTION, OPERATION, REFUSAL, SECTIONS, helper
from harness.model.eras import era as rules_of
from harness.model.instructions.table import instruction_table
from harness.model.verifier.rules import Rule
from harness.run.covered import Covered, Part
from harness.script.operations import Operation
from hil.whole import write_whole

NAME = "coverage.json"
"""The name of its file in a run folder."""


def covered(reached: Mapping[str, Collection[str]]) -> tuple[Covered, ...]:
    """Returns the counts of the points of each era."""
    return tuple(_covered(era, points) for era, points in sorted(reached.items()))


def _covered(era: str, points: Collection[str]) -> Covered:
    release, _, arch = era.partition("/")
    rules = rules_of(release, arch)
    known = {
        INSTRUCTION: instruction_table(rules).keys(),
        HELPER: {helper(number) for number in rules.helpers - rules.deadly_helpers},
        REFUSAL: {rule.value for rule in Rule},
        OPERATION: {kind.__name__ for kind in get_args(Operation)},
    }
    return Covered(era, *(_part(section, points, known[section]) for section in SECTIONS))


def _part(section: str, points: Collection[str], known: Collection[str]) -> Part:
    mine = [point.removeprefix(f"{section}: ") for point in points if point.startswith(f"{section}: ")]
    met = {point.split(" ", 1)[0] for point in mine} & set(known)
    return Part(len(met), len(known), len(mine), tuple(sorted(set(known) - met)))


def write(path: Path, reached: Mapping[str, Collection[str]]) -> None:
    """Writes every point that was reached, by era; raises OSError."""
    write_whole(path, json.dumps({era: sorted(points) for era, points in reached.items()}, indent=1) + "\n")
