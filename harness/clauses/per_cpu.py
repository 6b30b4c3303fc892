"""Maps with a value for each CPU, since 4.6 (with eviction, 4.10): kernel/bpf/hashtab.c, arraymap.c, syscall.c.

Scripts begin on CPU 0, so that a program's value is the first one.
"""

from __future__ import annotations

from itertools import chain

from harness.abi.bpf import F_ALL_CPUS, F_CPU, MapFlag
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP, NOT_SUPPORTED, filtered
from harness.core_scripts.parts import array, u32, u64
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R7,
    R8,
    R9,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    jeq_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    st,
    stx,
)
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    GetNextKey,
    LookupElement,
    MapType,
    Operation,
    Ref,
    UpdateElement,
    UpdateFlag,
)
from harness.script.outcome import PerCpu

LATER = "5.10"
"""The first era that has these maps."""
HASH, ARRAY, LRU = MapType.PERCPU_HASH, MapType.PERCPU_ARRAY, MapType.LRU_PERCPU_HASH
TYPES = {"hash": HASH, "array": ARRAY, "lru": LRU}
LIKE_HASH = {"hash": HASH, "lru": LRU}
NOEXIST, EXIST = UpdateFlag.NOEXIST, UpdateFlag.EXIST
LARGEST = 32768
"""PCPU_MIN_UNIT_SIZE, include/linux/percpu.h."""
ONE, TWO, THREE = (u32(number) for number in (1, 2, 3))


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(_creation(), _calls(), _programs()))


def _clause(id: str, sentence: str, *steps: Operation | Step, since: str = LATER) -> Clause:
    return Clause(id, sentence, steps, NOTHING, since=since)


def _made(type: MapType, value_size: int = 8, entries: int = 4, flags: int = 0) -> CreateMap:
    return CreateMap("map", type, 4, value_size, entries, flags)


def _read(key: bytes, value_size: int = 8) -> LookupElement:
    return LookupElement(MAP, key, value_size, per_cpu=True)


def _creation() -> tuple[Clause, ...]:
    refused: tuple[tuple[str, str, CreateMap, Said], ...] = (
        (
            "PCPU-02.hash-key",
            "A PERCPU_HASH map with a key of size 0 gives EINVAL",
            CreateMap("map", HASH, 0, 8, 1),
            "EINVAL",
        ),
        (
            "PCPU-02.hash-value",
            "A PERCPU_HASH map with a value of size 0 gives EINVAL",
            CreateMap("map", HASH, 4, 0, 1),
            "EINVAL",
        ),
        (
            "PCPU-02.hash-entries",
            "A PERCPU_HASH map for 0 elements gives EINVAL",
            CreateMap("map", HASH, 4, 8, 0),
            "EINVAL",
        ),
        (
            "PCPU-02.array-key",
            "A PERCPU_ARRAY with a key of 8 bytes, not 4, gives EINVAL",
            CreateMap("map", ARRAY, 8, 8, 1),
            "EINVAL",
        ),
        (
            "PCPU-02.array-value",
            "A PERCPU_ARRAY with a value of size 0 gives EINVAL",
            CreateMap("map", ARRAY, 4, 0, 1),
            "EINVAL",
        ),
        (
            "PCPU-02.array-entries",
            "A PERCPU_ARRAY of 0 elements gives EINVAL",
            CreateMap("map", ARRAY, 4, 8, 0),
            "EINVAL",
        ),
        (
            "PCPU-03.array-prealloc",
            "A PERCPU_ARRAY with BPF_F_NO_PREALLOC gives EINVAL",
            _made(ARRAY, flags=MapFlag.NO_PREALLOC),
            "EINVAL",
        ),
        (
            "PCPU-03.array-lru",
            "A PERCPU_ARRAY with BPF_F_NO_COMMON_LRU gives EINVAL",
            _made(ARRAY, flags=MapFlag.NO_COMMON_LRU),
            "EINVAL",
        ),
        (
            "PCPU-03.hash-lru",
            "A PERCPU_HASH map with BPF_F_NO_COMMON_LRU gives EINVAL",
            _made(HASH, flags=MapFlag.NO_COMMON_LRU),
            "EINVAL",
        ),
        (
            "PCPU-03.hash-node",
            "A PERCPU_HASH map with BPF_F_NUMA_NODE gives EINVAL",
            _made(HASH, flags=MapFlag.NUMA_NODE),
            "EINVAL",
        ),
        (
            "PCPU-03.array-node",
            "A PERCPU_ARRAY with BPF_F_NUMA_NODE gives EINVAL",
            _made(ARRAY, flags=MapFlag.NUMA_NODE),
            "EINVAL",
        ),
        (
            "PCPU-03.flags-first",
            "An LRU_PERCPU_HASH map with BPF_F_NO_PREALLOC gives ENOTSUPP before its sizes are looked at; 4.1 "
            "gives EINVAL",
            CreateMap("map", LRU, 4, 0, 0, MapFlag.NO_PREALLOC),
            NOT_SUPPORTED,
        ),
    )
    return (
        *(
            _clause(
                f"PCPU-01.{name}",
                f"A map of type {type.name} can be made; 4.1 does not have the type and gives EINVAL",
                expect(_made(type), "EINVAL", {LATER: WORKS}),
                since="4.1",
            )
            for name, type in TYPES.items()
        ),
        *(
            _clause(id, sentence, expect(made, "EINVAL", {LATER: said}), since="4.1")
            for id, sentence, made, said in refused
        ),
        _clause(
            "PCPU-03.hash-prealloc",
            "A PERCPU_HASH map with BPF_F_NO_PREALLOC stores and returns values like any other; 4.1 gives EINVAL",
            expect(_made(HASH, flags=MapFlag.NO_PREALLOC), "EINVAL", {LATER: WORKS}),
            expect(UpdateElement(MAP, ONE, PerCpu(u64(1))), "EBADF", {LATER: 0}),
            expect(_read(ONE), "EBADF", {LATER: PerCpu(u64(1))}),
            since="4.1",
        ),
        *(
            _clause(
                f"PCPU-04.{name}",
                f"A map of type {type.name} may have a value of {LARGEST} bytes",
                expect(_made(type, LARGEST), WORKS),
            )
            for name, type in TYPES.items()
        ),
        *(
            # Of 5.10 it hangs on the release whether this is E2BIG or ENOMEM.
            _clause(
                f"PCPU-04.{name}-more",
                f"A map of type {type.name} with a value of {LARGEST + 1} bytes gives E2BIG",
                expect(_made(type, LARGEST + 1), "E2BIG"),
                since="6.1",
            )
            for name, type in TYPES.items()
        ),
    )


def _calls() -> tuple[Clause, ...]:
    first, second = PerCpu(u64(1), u64(2)), PerCpu(u64(3), u64(4))
    return (
        *(
            _clause(
                f"PCPU-10.{name}",
                f"System calls store and return a value for each CPU in a map of type {type.name}",
                _made(type),
                expect(UpdateElement(MAP, ONE, first), 0),
                expect(_read(ONE), first),
                expect(UpdateElement(MAP, ONE, second), 0),
                expect(_read(ONE), second),
            )
            for name, type in TYPES.items()
        ),
        *(
            _clause(
                f"PCPU-11.{name}",
                "A value of 5 bytes takes 8 for each CPU where a system call stores or reads a map of type "
                f"{type.name}",
                _made(type, value_size=5),
                expect(UpdateElement(MAP, ONE, PerCpu(b"abcde", b"fghij")), 0),
                expect(_read(ONE, 5), PerCpu(b"abcde", b"fghij")),
            )
            for name, type in TYPES.items()
        ),
        _clause(
            "PCPU-12",
            "A new PERCPU_ARRAY has all its elements, and they are zero on every CPU",
            _made(ARRAY),
            *(expect(_read(u32(index)), PerCpu(u64(0))) for index in range(4)),
            expect(_read(u32(4)), "ENOENT"),
        ),
        _clause(
            "PCPU-13.array",
            "BPF_MAP_UPDATE_ELEM on a PERCPU_ARRAY gives E2BIG behind its end, and EEXIST with BPF_NOEXIST",
            _made(ARRAY),
            expect(UpdateElement(MAP, u32(4), first), "E2BIG"),
            expect(UpdateElement(MAP, ONE, first, NOEXIST), "EEXIST"),
            expect(UpdateElement(MAP, ONE, first, EXIST), 0),
            expect(_read(ONE), first),
        ),
        *(
            _clause(
                f"PCPU-13.{name}",
                f"BPF_MAP_UPDATE_ELEM on a map of type {type.name} obeys BPF_EXIST (ENOENT) and BPF_NOEXIST (EEXIST)",
                _made(type),
                expect(UpdateElement(MAP, ONE, first, EXIST), "ENOENT"),
                expect(UpdateElement(MAP, ONE, first, NOEXIST), 0),
                expect(UpdateElement(MAP, ONE, second, NOEXIST), "EEXIST"),
                expect(_read(ONE), first),
                expect(UpdateElement(MAP, ONE, second, EXIST), 0),
                expect(_read(ONE), second),
            )
            for name, type in LIKE_HASH.items()
        ),
        *(
            _clause(
                f"PCPU-14.{name}.{flags:#x}".replace("0x", ""),
                f"BPF_MAP_UPDATE_ELEM on a map of type {type.name} with flags {flags:#x} gives EINVAL",
                _made(type),
                expect(UpdateElement(MAP, ONE, first, flags), "EINVAL"),
            )
            for name, type in TYPES.items()
            for flags in (4, 1 << 5, 1 << 32)
        ),
        *(
            _clause(
                f"PCPU-15.{name}",
                f"BPF_MAP_UPDATE_ELEM on a map of type {type.name} with BPF_F_CPU and BPF_F_ALL_CPUS gives EINVAL",
                _made(type),
                expect(UpdateElement(MAP, ONE, first, F_CPU | F_ALL_CPUS), "EINVAL"),
            )
            for name, type in TYPES.items()
        ),
        *(
            _clause(
                f"PCPU-19.{name}",
                f"BPF_F_ALL_CPUS stores one value for all CPUs in a map of type {type.name}, BPF_F_CPU one for "
                "the CPU named",
                _made(type),
                expect(UpdateElement(MAP, ONE, u64(7), F_ALL_CPUS), 0),
                expect(_read(ONE), PerCpu(u64(7))),
                expect(UpdateElement(MAP, ONE, u64(8), F_CPU), 0),
                expect(_read(ONE), PerCpu(u64(8), u64(7))),
                expect(UpdateElement(MAP, ONE, u64(9), F_CPU | 1000 << 32), "ERANGE"),
                since="7.2",
            )
            for name, type in TYPES.items()
        ),
        _clause(
            "PCPU-16",
            "A full PERCPU_HASH map gives E2BIG for a further key, and takes other values for the keys it has",
            _made(HASH, entries=2),
            expect(UpdateElement(MAP, ONE, first), 0),
            expect(UpdateElement(MAP, TWO, first), 0),
            expect(UpdateElement(MAP, THREE, first), "E2BIG"),
            expect(UpdateElement(MAP, THREE, first, EXIST), "ENOENT"),
            expect(UpdateElement(MAP, TWO, second), 0),
            expect(DeleteElement(MAP, ONE), 0),
            expect(UpdateElement(MAP, THREE, first), 0),
            expect(_read(TWO), second),
        ),
        *(
            _clause(
                f"PCPU-17.{name}",
                f"BPF_MAP_DELETE_ELEM takes a key out of a map of type {type.name}; the second time it gives ENOENT",
                _made(type),
                expect(UpdateElement(MAP, ONE, first), 0),
                expect(DeleteElement(MAP, ONE), 0),
                expect(DeleteElement(MAP, ONE), "ENOENT"),
                expect(_read(ONE), "ENOENT"),
            )
            for name, type in LIKE_HASH.items()
        ),
        _clause(
            "PCPU-17.array",
            "BPF_MAP_DELETE_ELEM on a PERCPU_ARRAY gives EINVAL",
            _made(ARRAY),
            expect(DeleteElement(MAP, ONE), "EINVAL"),
        ),
        *(
            _clause(
                f"PCPU-18.{name}",
                f"BPF_MAP_GET_NEXT_KEY tells the keys of a map of type {type.name} one after the other, then "
                "gives ENOENT",
                _made(type),
                expect(GetNextKey(MAP, None, 4), "ENOENT"),
                expect(UpdateElement(MAP, ONE, first), 0),
                expect(GetNextKey(MAP, None, 4), ONE),
                expect(GetNextKey(MAP, ONE, 4), "ENOENT"),
            )
            for name, type in LIKE_HASH.items()
        ),
        _clause(
            "PCPU-18.array",
            "BPF_MAP_GET_NEXT_KEY on a PERCPU_ARRAY tells its indices, then gives ENOENT",
            _made(ARRAY),
            expect(GetNextKey(MAP, None, 4), u32(0)),
            expect(GetNextKey(MAP, u32(2), 4), u32(3)),
            expect(GetNextKey(MAP, u32(3), 4), "ENOENT"),
            expect(GetNextKey(MAP, u32(9), 4), u32(0)),
        ),
    )


def _programs() -> tuple[Clause, ...]:
    before = PerCpu(u64(10), u64(20))
    return (
        *(
            _clause(
                f"PCPU-20.{name}",
                f"bpf_map_lookup_elem on a map of type {type.name} returns the value of the CPU that the program "
                "runs on",
                _made(type),
                expect(UpdateElement(MAP, ONE, before), 0),
                *filtered(_lookup(), jeq_imm(R0, 0, "end"), ldx(DW, R1, R0, 0), add64_imm(R1, 1), stx(DW, R0, 0, R1)),
                expect(_read(ONE), PerCpu(u64(11), u64(20))),
            )
            for name, type in TYPES.items()
        ),
        *(
            _clause(
                f"PCPU-21.{name}",
                f"bpf_map_update_elem on a map of type {type.name} changes the running CPU's value in its place, which "
                "pointers to it see",
                _made(type),
                array("results", entries=4),
                expect(UpdateElement(MAP, ONE, before), 0),
                *filtered(
                    *(_lookup(), jeq_imm(R0, 0, "end"), mov64_reg(R7, R0)),
                    *(_update(value=77), mov64_reg(R9, R0)),
                    *(ldx(W, R1, R7, 0), _result(0, R1), _result(1, R9)),
                ),
                expect(_read(ONE), PerCpu(u64(77), u64(20))),
                _result_is(0, 77),
                _result_is(1, 0),
            )
            for name, type in TYPES.items()
        ),
        *(
            _clause(
                f"PCPU-22.{name}",
                f"bpf_map_update_elem of an absent key in a map of type {type.name} leaves zeros on the other CPUs",
                _made(type),
                *filtered(_update(value=77)),
                expect(_read(ONE), PerCpu(u64(77), u64(0))),
            )
            for name, type in LIKE_HASH.items()
        ),
        *(
            _clause(
                f"PCPU-23.{name}",
                f"bpf_map_delete_elem takes a key out of a map of type {type.name}, then returns -ENOENT, and a "
                "lookup NULL",
                _made(type),
                array("results", entries=4),
                expect(UpdateElement(MAP, ONE, before), 0),
                *filtered(
                    *(_delete(), _result(0, R0)),
                    *(_delete(), _result(1, R0)),
                    *(_lookup(), _found(2)),
                ),
                _result_is(0, 0),
                _result_is(1, -2),
                _result_is(2, 0),
                expect(_read(ONE), "ENOENT"),
            )
            for name, type in LIKE_HASH.items()
        ),
        _clause(
            "PCPU-23.array",
            "bpf_map_delete_elem on a PERCPU_ARRAY returns -EINVAL; behind its end a lookup returns NULL, an "
            "update -E2BIG",
            _made(ARRAY, entries=1),
            array("results", entries=4),
            *filtered(*(_delete(), _result(0, R0)), *(_lookup(), _found(1)), *(_update(), _result(2, R0))),
            _result_is(0, -22),
            _result_is(1, 0),
            _result_is(2, -7),
        ),
    )


def _key() -> Piece:
    return (st(W, R10, -4, 1), mov64_reg(R2, R10), add64_imm(R2, -4), ld_map(R1, "map"))


def _lookup() -> Piece:
    return (_key(), call(Helper.MAP_LOOKUP_ELEM))


def _delete() -> Piece:
    return (_key(), call(Helper.MAP_DELETE_ELEM))


def _update(value: int = 1, flags: int = 0) -> Piece:
    return (
        *(st(DW, R10, -16, value), _key(), mov64_reg(R3, R10), add64_imm(R3, -16), mov64_imm(R4, flags)),
        call(Helper.MAP_UPDATE_ELEM),
    )


def _result(index: int, register: int) -> Piece:
    """The lower half of a register, which is all that a function leaves that returns an int."""
    return (
        *(mov64_reg(R8, register), st(W, R10, -4, index), mov64_reg(R2, R10), add64_imm(R2, -4)),
        *(ld_map(R1, "results"), call(Helper.MAP_LOOKUP_ELEM), jeq_imm(R0, 0, "end"), stx(W, R0, 0, R8)),
    )


def _found(index: int) -> Piece:
    """Whether a lookup found something, as 0 or 1."""
    return (mov64_imm(R7, 0), jeq_imm(R0, 0, 1), mov64_imm(R7, 1), _result(index, R7))


def _result_is(index: int, value: int) -> Step:
    return expect(LookupElement(Ref("results"), u32(index), 8), u32(value) + bytes(4))
