# SPDX-License-Identifier: MIT
"""Scripts that fill maps beyond their size, on one CPU and on two, so that kernels evict as they see fit."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from harness.clauses.parts import filtered
from harness.core_scripts.parts import u32, u64
from harness.isa.assemble import R1, R2, R10, Helper, W, add64_imm, call, ld_map, mov64_reg, st
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    LookupElement,
    MapType,
    Operation,
    Pin,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
    UpdateFlag,
)
from harness.script.outcome import PerCpu

MAP = Ref("map")
NO_COMMON_LRU = 2
SIZES = (1, 2, 3, 5, 8, 13)
LENGTH = 40
LARGE = (130, 200, 300)


def corpus(seed: int = 0) -> tuple[Script, ...]:
    """The same scripts for the same seed."""
    random = Random(seed)
    return tuple(
        Script(f"{type.name} of {size}, flags {flags}, {'two CPUs' if moves else 'one CPU'}", "evicts", tuple(steps))
        for type in (MapType.LRU_HASH, MapType.LRU_PERCPU_HASH)
        for flags in (0, NO_COMMON_LRU)
        for moves in (False, True)
        for size, steps in (
            *((size, _mixed(random, type, size, flags, moves=moves)) for size in SIZES),
            *((size, _filled(type, size, flags)) for size in LARGE if not moves),
        )
    )


def _mixed(random: Random, type: MapType, size: int, flags: int, *, moves: bool) -> Iterator[Operation]:
    """Whatever comes, then every key."""
    keys = range(size + 3)
    yield CreateMap("map", type, 4, 8, size, flags)
    yield from _lookup_by_program()
    for _ in range(LENGTH):
        key = u32(random.choice(keys))
        match random.choices(("update", "read", "delete", "look up", "move"), (14, 2, 3, 3, 4 if moves else 0))[0]:
            case "update":
                conditions = (UpdateFlag.ANY, UpdateFlag.ANY, UpdateFlag.NOEXIST, UpdateFlag.EXIST)
                yield _update(type, key, random.randrange(1 << 32), random.choice(conditions))
            case "read":
                yield _read(type, key)
            case "delete":
                yield DeleteElement(MAP, key)
            case "look up":
                yield RunSocketFilter(Ref("filter"), b"the first key")
            case _:
                yield Pin(random.randrange(2))
    yield from (_read(type, u32(key)) for key in keys)


def _filled(type: MapType, size: int, flags: int) -> Iterator[Operation]:
    yield CreateMap("map", type, 4, 8, size, flags)
    yield from (_update(type, u32(key), key) for key in range(size + 20))
    yield from (_read(type, u32(key)) for key in range(size + 20))


def _lookup_by_program() -> Iterator[Operation]:
    """A filter that looks key 0 up, which marks it."""
    key = (st(W, R10, -4, 0), mov64_reg(R2, R10), add64_imm(R2, -4))
    load, run = filtered(*key, ld_map(R1, "map"), call(Helper.MAP_LOOKUP_ELEM))
    yield from (load.operation, run.operation)


def _update(type: MapType, key: bytes, value: int, flags: UpdateFlag = UpdateFlag.ANY) -> UpdateElement:
    return UpdateElement(MAP, key, PerCpu(u64(value)) if _per_cpu(type) else u64(value), flags)


def _read(type: MapType, key: bytes) -> LookupElement:
    return LookupElement(MAP, key, 8, per_cpu=_per_cpu(type))


def _per_cpu(type: MapType) -> bool:
    return type is MapType.LRU_PERCPU_HASH
