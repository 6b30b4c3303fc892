# SPDX-License-Identifier: MIT
"""Making maps with a value for each CPU."""

from __future__ import annotations

from harness.abi.bpf import MapFlag
from harness.clauses.parts import MAP, NOT_SUPPORTED
from harness.clauses.per_cpu.parts import ARRAY, HASH, LATER, LRU, ONE, TYPES, clause, made, read
from harness.core_scripts.parts import u64
from harness.script.clause import WORKS, Clause, expect
from harness.script.operations import (
    CreateMap,
    MapType,
    UpdateElement,
)
from harness.script.outcome import PerCpu

LARGEST = 32768
"""PCPU_MIN_UNIT_SIZE, include/linux/percpu.h."""


_MAPS = {HASH: "PERCPU_HASH map", ARRAY: "PERCPU_ARRAY"}
_REFUSED: tuple[tuple[str, MapType, str, tuple[int, ...]], ...] = (
    ("PCPU-02.hash-key", HASH, "with a key of size 0", (0, 8, 1)),
    ("PCPU-02.hash-value", HASH, "with a value of size 0", (4, 0, 1)),
    ("PCPU-02.hash-entries", HASH, "for 0 elements", (4, 8, 0)),
    ("PCPU-02.array-key", ARRAY, "with a key of 8 bytes, not 4,", (8, 8, 1)),
    ("PCPU-02.array-value", ARRAY, "with a value of size 0", (4, 0, 1)),
    ("PCPU-02.array-entries", ARRAY, "of 0 elements", (4, 8, 0)),
    ("PCPU-03.array-prealloc", ARRAY, "with BPF_F_NO_PREALLOC", (4, 8, 4, MapFlag.NO_PREALLOC)),
    ("PCPU-03.array-lru", ARRAY, "with BPF_F_NO_COMMON_LRU", (4, 8, 4, MapFlag.NO_COMMON_LRU)),
    ("PCPU-03.hash-lru", HASH, "with BPF_F_NO_COMMON_LRU", (4, 8, 4, MapFlag.NO_COMMON_LRU)),
    ("PCPU-03.hash-node", HASH, "with BPF_F_NUMA_NODE", (4, 8, 4, MapFlag.NUMA_NODE)),
    ("PCPU-03.array-node", ARRAY, "with BPF_F_NUMA_NODE", (4, 8, 4, MapFlag.NUMA_NODE)),
)
"""Maps that cannot be made: sizes of key and value, number of elements, flags."""


def creation_clauses() -> tuple[Clause, ...]:
    return (
        *(
            clause(
                f"PCPU-01.{name}",
                f"A map of type {type.name} can be made; 4.1 does not have the type and gives EINVAL",
                expect(made(type), "EINVAL", {LATER: WORKS}),
                since="4.1",
            )
            for name, type in TYPES.items()
        ),
        *(
            clause(
                id,
                f"A {_MAPS[type]} {what} gives EINVAL",
                expect(CreateMap("map", type, *sizes), "EINVAL"),
                since="4.1",
            )
            for id, type, what, sizes in _REFUSED
        ),
        clause(
            "PCPU-03.flags-first",
            "An LRU_PERCPU_HASH map with BPF_F_NO_PREALLOC gives ENOTSUPP before its sizes are looked at; 4.1 "
            "gives EINVAL",
            expect(CreateMap("map", LRU, 4, 0, 0, MapFlag.NO_PREALLOC), "EINVAL", {LATER: NOT_SUPPORTED}),
            since="4.1",
        ),
        clause(
            "PCPU-03.hash-prealloc",
            "A PERCPU_HASH map with BPF_F_NO_PREALLOC stores and returns values like any other; 4.1 gives EINVAL",
            expect(made(HASH, flags=MapFlag.NO_PREALLOC), "EINVAL", {LATER: WORKS}),
            expect(UpdateElement(MAP, ONE, PerCpu(u64(1))), "EBADF", {LATER: 0}),
            expect(read(ONE), "EBADF", {LATER: PerCpu(u64(1))}),
            since="4.1",
        ),
        *(
            clause(
                f"PCPU-04.{name}",
                f"A map of type {type.name} may have a value of {LARGEST} bytes",
                expect(made(type, LARGEST), WORKS),
            )
            for name, type in TYPES.items()
        ),
        *(
            # In 5.10 it depends on the stable release whether this is E2BIG or ENOMEM.
            clause(
                f"PCPU-04.{name}-more",
                f"A map of type {type.name} with a value of {LARGEST + 1} bytes gives E2BIG",
                expect(made(type, LARGEST + 1), "E2BIG"),
                since="6.1",
            )
            for name, type in TYPES.items()
        ),
    )
