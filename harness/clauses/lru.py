# SPDX-License-Identifier: MIT
"""Hash maps that evict elements instead of being full, since 4.10: kernel/bpf/hashtab.c, bpf_lru_list.c."""

from __future__ import annotations

from itertools import chain

from harness.abi.bpf import MapFlag
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP, NOT_SUPPORTED, filtered
from harness.core_scripts.parts import u32, u64
from harness.isa.assemble import R1, R2, R10, Helper, W, add64_imm, call, ld_map, mov64_reg, st
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    GetNextKey,
    LookupElement,
    MapType,
    Operation,
    UpdateElement,
    UpdateFlag,
)
from harness.script.outcome import PerCpu

LATER = "5.10"
"""The first era that has these maps."""
TYPES = {"hash": MapType.LRU_HASH, "per-cpu": MapType.LRU_PERCPU_HASH}
ANY, NOEXIST, EXIST = UpdateFlag.ANY, UpdateFlag.NOEXIST, UpdateFlag.EXIST
BATCH = 128
"""LOCAL_FREE_TARGET."""


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain.from_iterable((*_creation(name), *_like_any_hash(name), *_eviction(name)) for name in TYPES))


def _clause(id: str, sentence: str, *steps: Operation | Step, since: str = LATER) -> Clause:
    return Clause(id, sentence, steps, NOTHING, since=since)


def _made(name: str, entries: int = 4, flags: int = 0) -> CreateMap:
    return CreateMap("map", TYPES[name], 4, 8, entries, flags)


def _put(name: str, key: int, said: Said = 0, flags: int = ANY) -> Step:
    """Stores a key with its number as the value."""
    value = PerCpu(u64(key)) if name == "per-cpu" else u64(key)
    return expect(UpdateElement(MAP, u32(key), value, flags), said)


def _has(name: str, key: int, later: bool = True, *, at_first: bool | None = None) -> Step:
    """Expects the key to be present or absent; `at_first` is for kernels before 6.12, where they differ."""
    per_cpu = name == "per-cpu"
    there: Said = PerCpu(u64(key)) if per_cpu else u64(key)
    first = later if at_first is None else at_first
    rows: dict[str, Said] = {} if at_first is None else {"6.12": there if later else "ENOENT"}
    return expect(LookupElement(MAP, u32(key), 8, per_cpu), there if first else "ENOENT", rows)


def _creation(name: str) -> tuple[Clause, ...]:
    type = TYPES[name]
    refused = (
        (
            "LRU-02",
            "with BPF_F_NO_PREALLOC gives ENOTSUPP; 4.1 gives EINVAL",
            _made(name, flags=MapFlag.NO_PREALLOC),
            NOT_SUPPORTED,
        ),
        (
            "LRU-03",
            "with BPF_F_NO_PREALLOC gives ENOTSUPP before its sizes are looked at; 4.1 gives EINVAL",
            CreateMap("map", type, 0, 0, 0, MapFlag.NO_PREALLOC),
            NOT_SUPPORTED,
        ),
        ("LRU-04.key", "with a key of size 0 gives EINVAL", CreateMap("map", type, 0, 8, 4), "EINVAL"),
        ("LRU-04.value", "with a value of size 0 gives EINVAL", CreateMap("map", type, 4, 0, 4), "EINVAL"),
        ("LRU-04.entries", "for 0 elements gives EINVAL", CreateMap("map", type, 4, 8, 0), "EINVAL"),
        (
            "LRU-04.many",
            "for 2^32 - 1 elements gives E2BIG; 4.1 gives EINVAL",
            CreateMap("map", type, 4, 8, 0xFFFFFFFF),
            "E2BIG",
        ),
    )
    return (
        _clause(
            f"LRU-01.{name}",
            f"A map of type {type.name} can be made, and evicts; 4.1 does not have the type and gives EINVAL",
            expect(_made(name), "EINVAL", {LATER: WORKS}),
            since="4.1",
        ),
        _clause(
            f"LRU-01.{name}-own",
            f"A map of type {type.name} takes BPF_F_NO_COMMON_LRU, a list for each CPU; 4.1 gives EINVAL",
            expect(_made(name, flags=MapFlag.NO_COMMON_LRU), "EINVAL", {LATER: WORKS}),
            since="4.1",
        ),
        *(
            _clause(
                f"{id}-{name}" if "." in id else f"{id}.{name}",
                f"A map of type {type.name} {sentence}",
                expect(made, "EINVAL", {LATER: said}),
                since="4.1",
            )
            for id, sentence, made, said in refused
        ),
        _clause(
            f"LRU-05.{name}",
            f"A map of type {type.name} with a key of 513 bytes gives E2BIG in 5.10; since 6.1 only memory limits it",
            expect(CreateMap("map", type, 513, 8, 4), "E2BIG", {"6.1": WORKS}),
        ),
    )


def _like_any_hash(name: str) -> tuple[Clause, ...]:
    return (
        _clause(
            f"LRU-10.{name}",
            f"BPF_MAP_UPDATE_ELEM on an evicting map of type {TYPES[name].name} obeys BPF_EXIST (ENOENT) and "
            "BPF_NOEXIST "
            "(EEXIST)",
            _made(name),
            _put(name, 1, "ENOENT", EXIST),
            _put(name, 1, 0, NOEXIST),
            _put(name, 1, "EEXIST", NOEXIST),
            _put(name, 1, 0, EXIST),
            _put(name, 1, "EINVAL", 4),
            _has(name, 1),
        ),
        _clause(
            f"LRU-11.{name}",
            f"BPF_MAP_DELETE_ELEM takes a key out of an evicting map of type {TYPES[name].name}; the second time "
            "it gives ENOENT",
            _made(name),
            _put(name, 1),
            expect(DeleteElement(MAP, u32(1)), 0),
            expect(DeleteElement(MAP, u32(1)), "ENOENT"),
            _has(name, 1, False),
        ),
        _clause(
            f"LRU-12.{name}",
            f"BPF_MAP_GET_NEXT_KEY tells the keys of a map of type {TYPES[name].name}, then gives ENOENT",
            _made(name),
            expect(GetNextKey(MAP, None, 4), "ENOENT"),
            _put(name, 1),
            expect(GetNextKey(MAP, u32(7), 4), u32(1)),
            expect(GetNextKey(MAP, u32(1), 4), "ENOENT"),
        ),
    )


def _eviction(name: str) -> tuple[Clause, ...]:
    full: tuple[Operation | Step, ...] = (_made(name), *(_put(name, key) for key in (1, 2, 3, 4)))
    large, type = 200, TYPES[name].name
    return (
        _clause(
            f"LRU-20.{name}",
            f"A map of type {type} evicts nothing while there is room",
            *full,
            *(_has(name, key) for key in (1, 2, 3, 4)),
        ),
        _clause(
            f"LRU-21.{name}",
            f"A key too many evicts the oldest of a map of type {type}; before 6.12 all others of a small map, too",
            *full,
            _put(name, 5),
            _has(name, 5),
            _has(name, 1, False),
            _has(name, 4, at_first=False),
        ),
        _clause(
            f"LRU-22.{name}",
            f"A key that a program looked up in a map of type {type} stays when others are evicted",
            *full,
            *filtered(
                *(st(W, R10, -4, 1), mov64_reg(R2, R10), add64_imm(R2, -4), ld_map(R1, "map")),
                call(Helper.MAP_LOOKUP_ELEM),
            ),
            _put(name, 5),
            _has(name, 1),
            _has(name, 2, False),
        ),
        _clause(
            f"LRU-23.{name}",
            f"BPF_MAP_LOOKUP_ELEM keeps no key of a map of type {type} from being evicted",
            *full,
            _has(name, 1),
            _put(name, 5),
            _has(name, 1, False),
        ),
        _clause(
            f"LRU-24.{name}",
            f"A key that is deleted from a full map of type {type} makes room for another: none is evicted",
            *full,
            expect(DeleteElement(MAP, u32(4)), 0),
            _put(name, 5),
            *(_has(name, key) for key in (1, 2, 3, 5)),
        ),
        _clause(
            f"LRU-25.{name}",
            "BPF_MAP_UPDATE_ELEM with BPF_EXIST on an LRU_HASH map for one element gives ENOENT for its only "
            "key, which it "
            "evicts before it looks"
            if name == "hash"
            else "BPF_MAP_UPDATE_ELEM with BPF_EXIST on an LRU_PERCPU_HASH map for one element evicts nothing",
            _made(name, entries=1),
            _put(name, 1),
            _put(name, 1, "ENOENT" if name == "hash" else 0, EXIST),
            _has(name, 1, name != "hash"),
        ),
        _clause(
            f"LRU-26.{name}",
            f"BPF_MAP_UPDATE_ELEM with BPF_NOEXIST on a map of type {type} for one element gives 0 for its only "
            "key, which "
            "it evicts before it looks",
            _made(name, entries=1),
            _put(name, 1),
            _put(name, 1, 0, NOEXIST),
            _has(name, 1),
        ),
        _clause(
            f"LRU-27.{name}",
            f"Before 6.12, a CPU that has used up {BATCH} elements of a map of type {type} evicts to have as many "
            "again, even "
            "if others are free",
            _made(name, entries=large),
            *(_put(name, key) for key in range(BATCH + 1)),
            _has(name, 0, at_first=False),
            _has(name, 2 * BATCH - large - 1, at_first=False),
            _has(name, 2 * BATCH - large),
            _has(name, BATCH),
        ),
        _clause(
            f"LRU-28.{name}",
            f"A map of type {type} with BPF_F_NO_COMMON_LRU evicts of the running CPU's own list, even if the map "
            "is not "
            "full",
            _made(name, entries=2, flags=MapFlag.NO_COMMON_LRU),
            *(_put(name, key) for key in (1, 2, 3)),
            _has(name, 1, False),
            _has(name, 2, False),
            _has(name, 3),
        ),
    )
