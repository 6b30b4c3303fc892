# SPDX-License-Identifier: MIT
"""System calls on maps with a value for each CPU, which copy all of them."""

from __future__ import annotations

from harness.abi.bpf import F_ALL_CPUS, F_CPU
from harness.clauses.parts import MAP
from harness.clauses.per_cpu.parts import ARRAY, HASH, LIKE_HASH, ONE, THREE, TWO, TYPES, clause, made, read
from harness.core_scripts.parts import u32, u64
from harness.script.clause import Clause, expect
from harness.script.operations import (
    DeleteElement,
    GetNextKey,
    UpdateElement,
    UpdateFlag,
)
from harness.script.outcome import PerCpu

NOEXIST, EXIST = UpdateFlag.NOEXIST, UpdateFlag.EXIST


def calls_clauses() -> tuple[Clause, ...]:
    first, second = PerCpu(u64(1), u64(2)), PerCpu(u64(3), u64(4))
    return (
        *(
            clause(
                f"PCPU-10.{name}",
                f"System calls store and return a value for each CPU in a map of type {type.name}",
                made(type),
                expect(UpdateElement(MAP, ONE, first), 0),
                expect(read(ONE), first),
                expect(UpdateElement(MAP, ONE, second), 0),
                expect(read(ONE), second),
            )
            for name, type in TYPES.items()
        ),
        *(
            clause(
                f"PCPU-11.{name}",
                "A value of 5 bytes takes 8 for each CPU where a system call stores or reads a map of type "
                f"{type.name}",
                made(type, value_size=5),
                expect(UpdateElement(MAP, ONE, PerCpu(b"abcde", b"fghij")), 0),
                expect(read(ONE, 5), PerCpu(b"abcde", b"fghij")),
            )
            for name, type in TYPES.items()
        ),
        clause(
            "PCPU-12",
            "A new PERCPU_ARRAY has all its elements, and they are zero on every CPU",
            made(ARRAY),
            *(expect(read(u32(index)), PerCpu(u64(0))) for index in range(4)),
            expect(read(u32(4)), "ENOENT"),
        ),
        clause(
            "PCPU-13.array",
            "BPF_MAP_UPDATE_ELEM on a PERCPU_ARRAY gives E2BIG behind its end, and EEXIST with BPF_NOEXIST",
            made(ARRAY),
            expect(UpdateElement(MAP, u32(4), first), "E2BIG"),
            expect(UpdateElement(MAP, ONE, first, NOEXIST), "EEXIST"),
            expect(UpdateElement(MAP, ONE, first, EXIST), 0),
            expect(read(ONE), first),
        ),
        *(
            clause(
                f"PCPU-13.{name}",
                f"BPF_MAP_UPDATE_ELEM on a map of type {type.name} obeys BPF_EXIST (ENOENT) and BPF_NOEXIST (EEXIST)",
                made(type),
                expect(UpdateElement(MAP, ONE, first, EXIST), "ENOENT"),
                expect(UpdateElement(MAP, ONE, first, NOEXIST), 0),
                expect(UpdateElement(MAP, ONE, second, NOEXIST), "EEXIST"),
                expect(read(ONE), first),
                expect(UpdateElement(MAP, ONE, second, EXIST), 0),
                expect(read(ONE), second),
            )
            for name, type in LIKE_HASH.items()
        ),
        *(
            clause(
                f"PCPU-14.{name}.{flags:#x}".replace("0x", ""),
                f"BPF_MAP_UPDATE_ELEM on a map of type {type.name} with flags {flags:#x} gives EINVAL",
                made(type),
                expect(UpdateElement(MAP, ONE, first, flags), "EINVAL"),
            )
            for name, type in TYPES.items()
            for flags in (4, 1 << 5, 1 << 32)
        ),
        *(
            clause(
                f"PCPU-15.{name}",
                f"BPF_MAP_UPDATE_ELEM on a map of type {type.name} with BPF_F_CPU and BPF_F_ALL_CPUS gives EINVAL",
                made(type),
                expect(UpdateElement(MAP, ONE, first, F_CPU | F_ALL_CPUS), "EINVAL"),
            )
            for name, type in TYPES.items()
        ),
        *(
            clause(
                f"PCPU-19.{name}",
                f"BPF_F_ALL_CPUS stores one value for all CPUs in a map of type {type.name}, BPF_F_CPU one for "
                "the CPU named",
                made(type),
                expect(UpdateElement(MAP, ONE, u64(7), F_ALL_CPUS), 0),
                expect(read(ONE), PerCpu(u64(7))),
                expect(UpdateElement(MAP, ONE, u64(8), F_CPU), 0),
                expect(read(ONE), PerCpu(u64(8), u64(7))),
                expect(UpdateElement(MAP, ONE, u64(9), F_CPU | 1000 << 32), "ERANGE"),
                since="7.2",
            )
            for name, type in TYPES.items()
        ),
        clause(
            "PCPU-16",
            "A full PERCPU_HASH map gives E2BIG for a further key, and takes other values for the keys it has",
            made(HASH, entries=2),
            expect(UpdateElement(MAP, ONE, first), 0),
            expect(UpdateElement(MAP, TWO, first), 0),
            expect(UpdateElement(MAP, THREE, first), "E2BIG"),
            expect(UpdateElement(MAP, THREE, first, EXIST), "ENOENT"),
            expect(UpdateElement(MAP, TWO, second), 0),
            expect(DeleteElement(MAP, ONE), 0),
            expect(UpdateElement(MAP, THREE, first), 0),
            expect(read(TWO), second),
        ),
        *(
            clause(
                f"PCPU-17.{name}",
                f"BPF_MAP_DELETE_ELEM takes a key out of a map of type {type.name}; the second time it gives ENOENT",
                made(type),
                expect(UpdateElement(MAP, ONE, first), 0),
                expect(DeleteElement(MAP, ONE), 0),
                expect(DeleteElement(MAP, ONE), "ENOENT"),
                expect(read(ONE), "ENOENT"),
            )
            for name, type in LIKE_HASH.items()
        ),
        clause(
            "PCPU-17.array",
            "BPF_MAP_DELETE_ELEM on a PERCPU_ARRAY gives EINVAL",
            made(ARRAY),
            expect(DeleteElement(MAP, ONE), "EINVAL"),
        ),
        *(
            clause(
                f"PCPU-18.{name}",
                f"BPF_MAP_GET_NEXT_KEY tells the keys of a map of type {type.name} one after the other, then "
                "gives ENOENT",
                made(type),
                expect(GetNextKey(MAP, None, 4), "ENOENT"),
                expect(UpdateElement(MAP, ONE, first), 0),
                expect(GetNextKey(MAP, None, 4), ONE),
                expect(GetNextKey(MAP, ONE, 4), "ENOENT"),
            )
            for name, type in LIKE_HASH.items()
        ),
        clause(
            "PCPU-18.array",
            "BPF_MAP_GET_NEXT_KEY on a PERCPU_ARRAY tells its indices, then gives ENOENT",
            made(ARRAY),
            expect(GetNextKey(MAP, None, 4), u32(0)),
            expect(GetNextKey(MAP, u32(2), 4), u32(3)),
            expect(GetNextKey(MAP, u32(3), 4), "ENOENT"),
            expect(GetNextKey(MAP, u32(9), 4), u32(0)),
        ),
    )
