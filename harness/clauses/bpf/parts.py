# SPDX-License-Identifier: MIT
"""Parts that clauses about bpf(2) share."""

from __future__ import annotations

from typing import Any

from harness.core_scripts.parts import u32, u64
from harness.script.clause import NOTHING, Clause, Step
from harness.script.operations import (
    Buffer,
    Operation,
    Part,
    Ref,
)

HASH_MAP = (Part(0, 4, 1), Part(4, 4, 4), Part(8, 4, 8), Part(12, 4, 1))
KERNEL_ADDRESS = 0xFFFF_FFFF_FFFF_0000
KEY, VALUE = Buffer(u32(0)), Buffer(u64(7))


def clause(id: str, sentence: str, *steps: Operation | Step, **era: Any) -> Clause:
    return Clause(id, sentence, steps, NOTHING, **era)


def element(
    map: Ref | int, key: Buffer | int | None, value: Buffer | int | None = None, *more: Part
) -> tuple[Part, ...]:
    """Returns the fields of an element command; None leaves one out."""
    given = ((8, key), (16, value))
    return (Part(0, 4, map), *(Part(offset, 8, what) for offset, what in given if what is not None), *more)
