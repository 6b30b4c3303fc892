# SPDX-License-Identifier: MIT
"""Parts that clauses about maps with a value for each CPU share."""

from __future__ import annotations

from harness.clauses.parts import MAP
from harness.core_scripts.parts import u32
from harness.script.clause import NOTHING, Clause, Step
from harness.script.operations import (
    CreateMap,
    LookupElement,
    MapType,
    Operation,
)

LATER = "5.10"
"""The first era that has these maps."""
HASH, ARRAY, LRU = MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH
TYPES = {"hash": HASH, "array": ARRAY, "lru": LRU}
LIKE_HASH = {"hash": HASH, "lru": LRU}
ONE, TWO, THREE = (u32(number) for number in (1, 2, 3))


def clause(id: str, sentence: str, *steps: Operation | Step, since: str = LATER) -> Clause:
    return Clause(id, sentence, steps, NOTHING, since=since)


def made(type: MapType, value_size: int = 8, entries: int = 4, flags: int = 0) -> CreateMap:
    return CreateMap("map", type, 4, value_size, entries, flags)


def read(key: bytes, value_size: int = 8) -> LookupElement:
    return LookupElement(MAP, key, value_size, per_cpu=True)
