# SPDX-License-Identifier: MIT
"""The map: its creation, and the programs that its slots take."""

from __future__ import annotations

from harness.abi.bpf import MapFlag
from harness.clauses.parts import accepted
from harness.clauses.program_array.parts import ARRAY, FILTER, LATER, OTHER, PROGRAMS, clause, put, returns, tail_call
from harness.core_scripts.parts import u32
from harness.isa.assemble import (
    R1,
    R6,
    exit_,
    mov64_reg,
    program,
)
from harness.script.clause import KPROBES, WORKS, Clause, expect
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapType,
    OpenFile,
    ProgramType,
    Ref,
    UpdateFlag,
)


def creation_clauses() -> tuple[Clause, ...]:
    refused = (
        ("value", "with values of 8 bytes, not 4,", (4, 8, 4, 0)),
        ("key", "with keys of 8 bytes, not 4,", (8, 4, 4, 0)),
        ("entries", "of 0 slots", (4, 4, 0, 0)),
        ("prealloc", "with BPF_F_NO_PREALLOC", (4, 4, 4, MapFlag.NO_PREALLOC)),
        ("rdonly", "with BPF_F_RDONLY_PROG", (4, 4, 4, MapFlag.RDONLY_PROG)),
    )
    return (
        clause(
            "TAIL-01",
            "A PROG_ARRAY can be made; 4.1 does not have the type and gives EINVAL",
            expect(ARRAY, "EINVAL", {LATER: WORKS}),
            since="4.1",
        ),
        *(
            clause(
                f"TAIL-02.{name}",
                f"A PROG_ARRAY {what} gives EINVAL",
                expect(CreateMap("programs", MapType.PROG_ARRAY, key, value, entries, flags), "EINVAL"),
                since="4.1",
            )
            for name, what, (key, value, entries, flags) in refused
        ),
    )


def calls_clauses() -> tuple[Clause, ...]:
    filter = accepted("filter", ProgramType.SOCKET_FILTER)
    return (
        clause(
            "TAIL-10",
            "BPF_MAP_UPDATE_ELEM puts a program into a slot of a PROG_ARRAY by its descriptor",
            ARRAY,
            filter,
            put(FILTER),
        ),
        clause(
            "TAIL-11.closed",
            "BPF_MAP_UPDATE_ELEM on a PROG_ARRAY with a descriptor that is not open gives EBADF",
            ARRAY,
            put(u32(1000), "EBADF"),
        ),
        clause(
            "TAIL-11.a-map",
            "BPF_MAP_UPDATE_ELEM on a PROG_ARRAY with the descriptor of a map gives EINVAL",
            ARRAY,
            put(PROGRAMS, "EINVAL"),
        ),
        clause(
            "TAIL-11.a-file",
            "BPF_MAP_UPDATE_ELEM on a PROG_ARRAY with the descriptor of a file gives EINVAL",
            ARRAY,
            OpenFile("other"),
            put(OTHER, "EINVAL"),
        ),
        clause(
            "TAIL-12.index",
            "BPF_MAP_UPDATE_ELEM behind the last slot of a PROG_ARRAY gives E2BIG",
            ARRAY,
            filter,
            put(FILTER, "E2BIG", index=4),
        ),
        *(
            clause(
                f"TAIL-12.flags-{flags}",
                f"BPF_MAP_UPDATE_ELEM on a PROG_ARRAY with flags {flags:#x} gives EINVAL, also if index and "
                "descriptor are wrong",
                ARRAY,
                put(u32(1000), "EINVAL", index=4, flags=flags),
            )
            for flags in (UpdateFlag.NOEXIST, UpdateFlag.EXIST, 8)
        ),
        clause(
            "TAIL-12.descriptor",
            "BPF_MAP_UPDATE_ELEM on a PROG_ARRAY looks at the index before the descriptor: it gives E2BIG if "
            "both are wrong",
            ARRAY,
            put(u32(1000), "E2BIG", index=4),
        ),
        clause(
            "TAIL-13",
            "BPF_MAP_LOOKUP_ELEM of a slot returns the id of its program, and gives ENOENT where there is none",
            ARRAY,
            filter,
            expect(LookupElement(PROGRAMS, u32(0), 4), "ENOENT"),
            expect(LookupElement(PROGRAMS, u32(4), 4), "ENOENT"),
            put(FILTER),
            expect(LookupElement(PROGRAMS, u32(0), 4), WORKS),
        ),
        clause(
            "TAIL-14",
            "BPF_MAP_DELETE_ELEM empties a slot once, then gives ENOENT; behind the last slot it gives E2BIG",
            ARRAY,
            filter,
            put(FILTER),
            expect(DeleteElement(PROGRAMS, u32(0)), 0),
            expect(DeleteElement(PROGRAMS, u32(0)), "ENOENT"),
            expect(DeleteElement(PROGRAMS, u32(4)), "E2BIG"),
        ),
        clause(
            "TAIL-15",
            "BPF_MAP_GET_NEXT_KEY on a PROG_ARRAY tells all indices, whatever is in the slots",
            ARRAY,
            expect(GetNextKey(PROGRAMS, None, 4), u32(0)),
            expect(GetNextKey(PROGRAMS, u32(2), 4), u32(3)),
            expect(GetNextKey(PROGRAMS, u32(3), 4), "ENOENT"),
        ),
    )


def types_clauses() -> tuple[Clause, ...]:
    filter, probe = accepted("filter", ProgramType.SOCKET_FILTER), accepted("probe")
    user = LoadProgram("user", ProgramType.KPROBE, program(mov64_reg(R6, R1), tail_call(), returns(0), exit_()))
    broken = LoadProgram("user", ProgramType.KPROBE, program(mov64_reg(R6, R1), tail_call(), exit_()))
    return (
        clause(
            "TAIL-20.stored",
            "The first program in a PROG_ARRAY decides which type all others must have (EINVAL), also after it is gone",
            *(ARRAY, filter, probe, put(FILTER)),
            put(Ref("probe"), "EINVAL"),
            expect(DeleteElement(PROGRAMS, u32(0)), 0),
            put(Ref("probe"), "EINVAL"),
            expect(user, "EINVAL"),
            needs=KPROBES,
        ),
        clause(
            "TAIL-20.loaded",
            "A program that is loaded with a PROG_ARRAY decides which type the programs in it must have (EINVAL)",
            *(ARRAY, filter, probe),
            expect(user, WORKS),
            put(FILTER, "EINVAL"),
            put(Ref("probe")),
            needs=KPROBES,
        ),
        clause(
            "TAIL-21.refused",
            "A program that the verifier refuses does not decide which type a PROG_ARRAY's programs must have",
            *(ARRAY, filter),
            expect(broken, "EACCES"),
            put(FILTER),
            needs=KPROBES,
        ),
        clause(
            "TAIL-21.not-stored",
            "A program whose index is refused does not decide which type a PROG_ARRAY's programs must have",
            *(ARRAY, filter, probe),
            put(Ref("probe"), "E2BIG", index=4),
            put(FILTER),
            needs=KPROBES,
        ),
    )
