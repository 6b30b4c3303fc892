# SPDX-License-Identifier: MIT
"""Parts that clauses about hash tables and arrays share."""

from __future__ import annotations

from typing import Any

from harness.core_scripts.parts import array
from harness.script.clause import NOTHING, Clause, Step
from harness.script.operations import (
    Operation,
)

ARRAY = array("map", entries=4)


def clause(id: str, sentence: str, *steps: Operation | Step, **era: Any) -> Clause:
    return Clause(id, sentence, steps, NOTHING, **era)
