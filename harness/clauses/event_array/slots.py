# SPDX-License-Identifier: MIT
"""The map: its creation, what its slots take, how long it keeps them, and who may use it."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.event_array.parts import ENOENT, ENOSPC, EVENTS, OUT, clause, put, read, stored
from harness.clauses.parts import MAP, NOT_SUPPORTED, RING, absent_in_4_1
from harness.clauses.results import attached, data, keep, results_are
from harness.core_scripts.parts import array, prctl, u32
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    exit_,
    ld_map,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect, records
from harness.script.operations import (
    Close,
    CreateMap,
    DeleteElement,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapPages,
    MapRing,
    MapType,
    OpenOutputEvent,
    Operation,
    ProgramType,
    ReadRing,
    Unmap,
    UpdateElement,
)


def before_clauses() -> tuple[Clause, ...]:
    sentence = (
        "A PERF_EVENT_ARRAY gives EINVAL in 4.1, and an event of PERF_COUNT_SW_BPF_OUTPUT ENOENT: 4.1 has neither"
    )
    return absent_in_4_1("PEA", EVENTS, Helper.PERF_EVENT_OUTPUT, sentence, expect(OpenOutputEvent("out"), "ENOENT"))


def map_clauses() -> tuple[Clause, ...]:
    rows: tuple[tuple[str, str, tuple[int, int, int, int], Said], ...] = (
        ("PEA-03", "A PERF_EVENT_ARRAY has keys and values of four bytes", (4, 4, 1, 0), WORKS),
        ("PEA-03.key", "A PERF_EVENT_ARRAY with keys of eight bytes gives EINVAL", (8, 4, 1, 0), "EINVAL"),
        ("PEA-03.value", "A PERF_EVENT_ARRAY with values of eight bytes gives EINVAL", (4, 8, 1, 0), "EINVAL"),
        ("PEA-03.none", "A PERF_EVENT_ARRAY of 0 elements gives EINVAL", (4, 4, 0, 0), "EINVAL"),
        ("PEA-03.prealloc", "A PERF_EVENT_ARRAY with BPF_F_NO_PREALLOC gives EINVAL", (4, 4, 1, 1), "EINVAL"),
        ("PEA-03.preserve", "A PERF_EVENT_ARRAY may be made with BPF_F_PRESERVE_ELEMS", (4, 4, 1, 1 << 11), WORKS),
    )
    return (
        *(
            Clause(id, sentence, (expect(CreateMap("map", MapType.PERF_EVENT_ARRAY, *sizes), said),), NOTHING, "5.10")
            for id, sentence, sizes, said in rows
        ),
        Clause(
            "PEA-04",
            "Looking up elements of a PERF_EVENT_ARRAY and mapping it give ENOTSUPP",
            (
                EVENTS,
                expect(LookupElement(MAP, u32(0), 4), NOT_SUPPORTED),
                expect(LookupElement(MAP, u32(7), 4), NOT_SUPPORTED),
                expect(MapPages(MAP, 0, 1), NOT_SUPPORTED),
                expect(MapRing("ring", MAP), NOT_SUPPORTED),
            ),
            NOTHING,
            "5.10",
        ),
        Clause(
            "PEA-05",
            "BPF_MAP_GET_NEXT_KEY on a PERF_EVENT_ARRAY tells its indices, whatever is stored",
            (
                EVENTS,
                expect(GetNextKey(MAP, None, 4), u32(0)),
                expect(GetNextKey(MAP, u32(0), 4), u32(1)),
                expect(GetNextKey(MAP, u32(1), 4), "ENOENT"),
                expect(GetNextKey(MAP, u32(9), 4), u32(0)),
            ),
            NOTHING,
            "5.10",
        ),
        Clause(
            "PEA-06",
            "BPF_MAP_UPDATE_ELEM on a PERF_EVENT_ARRAY looks at its flags (EINVAL), then at the index "
            "(E2BIG), then at the descriptor (EBADF)",
            (
                EVENTS,
                *(expect(UpdateElement(MAP, u32(2), u32(100_000), flags), "EINVAL") for flags in (1, 2, 3, 4)),
                expect(UpdateElement(MAP, u32(2), u32(100_000)), "E2BIG"),
                expect(UpdateElement(MAP, u32(0), u32(100_000)), "EBADF"),
                expect(UpdateElement(MAP, u32(0), MAP), "EBADF"),
                expect(UpdateElement(MAP, None, MAP), "EFAULT"),
            ),
            NOTHING,
            "5.10",
        ),
        clause(
            "PEA-07",
            "A perf event can be stored in several places, over and over, and be deleted from each place once",
            EVENTS,
            OpenOutputEvent("out"),
            expect(UpdateElement(MAP, u32(0), OUT), 0),
            expect(UpdateElement(MAP, u32(0), OUT), 0),
            expect(UpdateElement(MAP, u32(1), OUT), 0),
            expect(DeleteElement(MAP, u32(0)), 0),
            expect(DeleteElement(MAP, u32(0)), "ENOENT"),
            expect(DeleteElement(MAP, u32(2)), "E2BIG"),
            expect(DeleteElement(MAP, u32(1)), 0),
        ),
    )


def lifetime_clauses(layout: PtRegs) -> tuple[Clause, ...]:
    def outlives(id: str, sentence: str, *then: Operation | Step, map: CreateMap = EVENTS) -> Clause:
        _, *rest = stored()
        return clause(id, sentence, map, *rest, *attached(layout, data(), put(), keep(0)), prctl(), *then)

    preserving = CreateMap("map", MapType.PERF_EVENT_ARRAY, 4, 4, 2, 1 << 11)
    return (
        outlives(
            "PEA-30",
            "A PERF_EVENT_ARRAY keeps its events open when their descriptors are closed",
            expect(Close(OUT), 0),
            prctl(),
            *results_are(0),
            expect(ReadRing(RING), records(2)),
        ),
        outlives(
            "PEA-31",
            "bpf_perf_event_output returns -ENOENT after the element was deleted",
            expect(DeleteElement(MAP, u32(0)), 0),
            prctl(),
            *results_are(ENOENT),
            expect(ReadRing(RING), records(1)),
        ),
        outlives(
            "PEA-32",
            "Closing the descriptor through which events were stored in a PERF_EVENT_ARRAY deletes them, "
            "also for programs that use it",
            expect(Close(MAP), 0),
            prctl(),
            *results_are(ENOENT),
            expect(ReadRing(RING), records(1)),
        ),
        outlives(
            "PEA-32.preserve",
            "BPF_F_PRESERVE_ELEMS keeps the events of a PERF_EVENT_ARRAY when its descriptor is closed",
            expect(Close(MAP), 0),
            prctl(),
            *results_are(0),
            expect(ReadRing(RING), records(2)),
            map=preserving,
        ),
        outlives(
            "PEA-33",
            "bpf_perf_event_output returns -ENOSPC after the event's ring was unmapped",
            Unmap(RING),
            prctl(),
            *results_are(ENOSPC),
        ),
    )


def verifier_clauses() -> tuple[Clause, ...]:
    end = (mov64_imm(R0, 0), exit_())
    first = (mov64_reg(R6, R1), data())

    def load(said: Said, *pieces: Piece, license: str = "GPL") -> Step:
        return expect(LoadProgram("program", ProgramType.KPROBE, program(*pieces), license), said)

    return (
        clause(
            "PEA-50",
            "A program that calls bpf_perf_event_output and is not under the GPL gives EINVAL",
            EVENTS,
            load("EINVAL", first, put(), end, license="MIT"),
        ),
        clause(
            "PEA-50.read",
            "A program that calls bpf_perf_event_read and is not under the GPL gives EINVAL",
            EVENTS,
            load("EINVAL", read(0), end, license="MIT"),
        ),
        clause(
            "PEA-51",
            "A program that hands bpf_perf_event_output something else than its context gives EACCES",
            EVENTS,
            load("EACCES", mov64_imm(R6, 0), data(), put(), end),
        ),
        clause(
            "PEA-52",
            "A program that calls bpf_perf_event_output or bpf_perf_event_read with an array gives EINVAL",
            array("map"),
            load("EINVAL", first, put(), end),
            load("EINVAL", read(0), end),
        ),
        clause(
            "PEA-53",
            "A program that looks up, updates or deletes elements of a PERF_EVENT_ARRAY gives EINVAL",
            EVENTS,
            *(
                load(
                    "EINVAL",
                    st(DW, R10, -8, 0),
                    ld_map(R1, "map"),
                    mov64_reg(R2, R10),
                    add64_imm(R2, -4),
                    mov64_reg(R3, R2),
                    mov64_imm(R4, 0),
                    call(helper),
                    end,
                )
                for helper in (Helper.MAP_LOOKUP_ELEM, Helper.MAP_UPDATE_ELEM, Helper.MAP_DELETE_ELEM)
            ),
        ),
    )
