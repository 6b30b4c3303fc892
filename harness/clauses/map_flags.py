# SPDX-License-Identifier: MIT
"""map_flags, by type: what a map may be made with, and what the flags then keep system calls and programs from.

Sources: htab_map_alloc_check(), array_map_alloc_check(), fd_array_map_alloc_check(), stack_map_alloc(),
ringbuf_map_alloc(), map_get_sys_perms(), bpf_map_mmap(), kernel/bpf of 5.10; check_map_access_type(),
record_func_map(), kernel/bpf/verifier.c of 5.10.
"""

from __future__ import annotations

from itertools import chain

from harness.abi.bpf import MapFlag
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP, NOT_SUPPORTED
from harness.core_scripts.parts import u32, u64
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    xadd,
)
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapPages,
    MapType,
    Operation,
    ProgramType,
    UpdateElement,
)

LATER = "5.10"
SIZES: dict[MapType, tuple[int, int, int]] = {
    MapType.HASH: (4, 8, 4),
    MapType.ARRAY: (4, 8, 4),
    MapType.PROG_ARRAY: (4, 4, 4),
    MapType.PERF_EVENT_ARRAY: (4, 4, 4),
    MapType.PERCPU_HASH: (4, 8, 4),
    MapType.PERCPU_ARRAY: (4, 8, 4),
    MapType.STACK_TRACE: (4, 64, 4),
    MapType.LRU_HASH: (4, 8, 4),
    MapType.LRU_PERCPU_HASH: (4, 8, 4),
    MapType.RINGBUF: (0, 0, 4096),
}
"""The key size, value size and number of entries of each type."""
HASHES = (MapType.HASH, MapType.PERCPU_HASH, MapType.LRU_HASH, MapType.LRU_PERCPU_HASH)
OF_TYPES: dict[int, tuple[MapType, ...]] = {
    MapFlag.NO_PREALLOC: (MapType.HASH, MapType.PERCPU_HASH),
    MapFlag.NO_COMMON_LRU: (MapType.LRU_HASH, MapType.LRU_PERCPU_HASH),
    MapFlag.NUMA_NODE: tuple(type for type in SIZES if not type.name.startswith(("PERCPU", "LRU_PERCPU"))),
    MapFlag.RDONLY: tuple(type for type in SIZES if type != MapType.RINGBUF),
    MapFlag.WRONLY: tuple(type for type in SIZES if type != MapType.RINGBUF),
    MapFlag.STACK_BUILD_ID: (MapType.STACK_TRACE,),
    MapFlag.ZERO_SEED: HASHES,
    MapFlag.RDONLY_PROG: (*HASHES, MapType.ARRAY, MapType.PERCPU_ARRAY),
    MapFlag.WRONLY_PROG: (*HASHES, MapType.ARRAY, MapType.PERCPU_ARRAY),
    MapFlag.MMAPABLE: (MapType.ARRAY,),
    MapFlag.PRESERVE_ELEMS: (MapType.PERF_EVENT_ARRAY,),
    MapFlag.INNER_MAP: (MapType.ARRAY,),
}
"""The types that take a flag."""
UNUSED = (MapFlag.CLONE, 1 << 13, 1 << 14, 1 << 15, *(1 << bit for bit in range(20, 32)))
"""Flags that no type here takes in any era; of those between, tokens and what ring buffers took last are left out."""


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(_taken(), _system_calls(), _programs(), _pages()))


def _clause(id: str, sentence: str, *steps: Operation | Step) -> Clause:
    return Clause(id, sentence, steps, NOTHING, since=LATER)


def _made(type: MapType, flags: int, name: str = "map") -> CreateMap:
    return CreateMap(name, type, *SIZES[type], flags)


def _gives(type: MapType, flag: int) -> Said:
    if flag == MapFlag.NO_PREALLOC and type in (MapType.LRU_HASH, MapType.LRU_PERCPU_HASH):
        return NOT_SUPPORTED
    return WORKS if type in OF_TYPES.get(flag, ()) else "EINVAL"


def _taken() -> tuple[Clause, ...]:
    return (
        *(
            _clause(
                f"MAP-60.{type.name.lower()}",
                f"A map of type {type.name} takes the map_flags of its type, and gives EINVAL for others",
                *(expect(_made(type, int(flag), f"map{flag:x}"), _gives(type, flag)) for flag in (*OF_TYPES, *UNUSED)),
            )
            for type in SIZES
        ),
        *(
            _clause(
                f"MAP-61.{name}",
                f"A map that {name.replace('-', ' ')} may neither read nor write cannot be made: {both} gives EINVAL",
                expect(_made(MapType.ARRAY, flags), "EINVAL"),
            )
            for name, both, flags in (
                ("system-calls", "BPF_F_RDONLY with BPF_F_WRONLY", MapFlag.RDONLY | MapFlag.WRONLY),
                ("programs", "BPF_F_RDONLY_PROG with BPF_F_WRONLY_PROG", MapFlag.RDONLY_PROG | MapFlag.WRONLY_PROG),
            )
        ),
    )


def _system_calls() -> tuple[Clause, ...]:
    key, value = u32(0), u64(1)
    return (
        _clause(
            "MAP-62.system-calls",
            "The descriptor of a map made with BPF_F_RDONLY gives EPERM for updates and deletions; elements "
            "can be looked up",
            _made(MapType.HASH, MapFlag.RDONLY),
            expect(UpdateElement(MAP, key, value), "EPERM"),
            expect(UpdateElement(MAP, None, value, 4), "EPERM"),
            expect(DeleteElement(MAP, key), "EPERM"),
            expect(LookupElement(MAP, key, 8), "ENOENT"),
            expect(GetNextKey(MAP, None, 4), "ENOENT"),
        ),
        _clause(
            "MAP-63.system-calls",
            "The descriptor of a map made with BPF_F_WRONLY gives EPERM for lookups and for the next key; "
            "elements can be updated and deleted",
            _made(MapType.HASH, MapFlag.WRONLY),
            expect(UpdateElement(MAP, key, value), 0),
            expect(LookupElement(MAP, key, 8), "EPERM"),
            expect(GetNextKey(MAP, None, 4), "EPERM"),
            expect(DeleteElement(MAP, key), 0),
        ),
    )


def _program(*use: Piece) -> LoadProgram:
    code = program(
        (st(DW, R10, -8, 0), mov64_reg(R2, R10), add64_imm(R2, -8), ld_map(R1, "map"), use),
        ("out", mov64_imm(R0, 0), exit_()),
    )
    return LoadProgram("program", ProgramType.SOCKET_FILTER, code)


LOOKUP = (call(Helper.MAP_LOOKUP_ELEM), jeq_imm(R0, 0, "out"))
READ, WRITE = _program(LOOKUP, ldx(DW, R1, R0, 0)), _program(LOOKUP, st(DW, R0, 0, 1))
ADD = _program(LOOKUP, mov64_imm(R1, 1), xadd(DW, R0, 0, R1))
UPDATE = _program(mov64_reg(R3, R10), add64_imm(R3, -8), mov64_imm(R4, 0), call(Helper.MAP_UPDATE_ELEM))
DELETE = _program(call(Helper.MAP_DELETE_ELEM))


def _programs() -> tuple[Clause, ...]:
    flags = {"62": MapFlag.RDONLY_PROG, "63": MapFlag.WRONLY_PROG}
    made_with = {
        "62": "BPF_F_RDONLY_PROG",
        "63": "BPF_F_WRONLY_PROG",
    }
    rows: tuple[tuple[str, str, LoadProgram, dict[str, Said]], ...] = (
        ("read", "reads an element of", READ, {"62": WORKS, "63": "EACCES"}),
        ("write", "writes to an element of", WRITE, {"62": "EACCES", "63": WORKS}),
        ("add", "adds atomically to an element of", ADD, {"62": "EACCES", "63": "EACCES"}),
        ("update", "calls bpf_map_update_elem on", UPDATE, {"62": "EACCES", "63": WORKS}),
        ("delete", "calls bpf_map_delete_elem on", DELETE, {"62": "EACCES", "63": WORKS}),
    )
    return tuple(
        _clause(
            f"MAP-{row}.{name}",
            f"A program that {does} a map made with {made_with[row]} "
            f"{'is accepted' if said[row] is WORKS else 'gives EACCES'}",
            _made(MapType.HASH, flag),
            expect(load, said[row]),
        )
        for row, flag in flags.items()
        for name, does, load, said in rows
    )


def _pages() -> tuple[Clause, ...]:
    rows: tuple[tuple[str, str, int, Said, Said], ...] = (
        ("", "An array made with BPF_F_MMAPABLE can be mapped to read and to write", 0, 0, 0),
        (
            "read-only",
            "An array made with BPF_F_MMAPABLE and BPF_F_RDONLY cannot be mapped: reading gives EINVAL, writing EACCES",
            MapFlag.RDONLY,
            "EINVAL",
            "EACCES",
        ),
        (
            "write-only",
            "An array made with BPF_F_MMAPABLE and BPF_F_WRONLY cannot be mapped: mmap(2) gives EACCES",
            MapFlag.WRONLY,
            "EACCES",
            "EACCES",
        ),
        (
            "programs",
            "An array made with BPF_F_MMAPABLE and BPF_F_RDONLY_PROG can be mapped to read; writing gives EACCES",
            MapFlag.RDONLY_PROG,
            0,
            "EACCES",
        ),
    )
    return (
        *(
            _clause(
                f"MAP-64.{name}".rstrip("."),
                sentence,
                _made(MapType.ARRAY, MapFlag.MMAPABLE | flags),
                expect(MapPages(MAP, 0, 1), reading),
                expect(MapPages(MAP, 0, 1, writable=True), writing),
            )
            for name, sentence, flags, reading, writing in rows
        ),
        _clause(
            "MAP-64.behind",
            "An array made with BPF_F_MMAPABLE is mapped up to the page with its last element; behind that "
            "mmap(2) gives EINVAL",
            CreateMap("map", MapType.ARRAY, 4, 5, 513, MapFlag.MMAPABLE),
            expect(MapPages(MAP, 1, 1), 0),
            expect(MapPages(MAP, 0, 2), 0),
            expect(MapPages(MAP, 1, 2), "EINVAL"),
            expect(MapPages(MAP, 2, 1), "EINVAL"),
        ),
    )
