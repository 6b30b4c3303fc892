"""Maps of type PERF_EVENT_ARRAY, since 4.3, and the samples programs write through them.

kernel/bpf/arraymap.c; kernel/trace/bpf_trace.c: bpf_perf_event_output(), bpf_perf_event_read().
"""

from __future__ import annotations

import errno
from itertools import chain

from harness.abi.bpf import F_CURRENT_CPU
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, MAP, NOT_SUPPORTED, RING, accepted
from harness.clauses.results import DATA, attached, data, keep, results_are
from harness.core_scripts.parts import array, prctl, u32
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    exit_,
    ld_imm64,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect, found, records
from harness.script.expectation import Expectation
from harness.script.operations import (
    Attach,
    Close,
    CreateMap,
    DeleteElement,
    Disable,
    Enable,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapPages,
    MapRing,
    MapType,
    OpenOutputEvent,
    Operation,
    ProgramType,
    ReadCount,
    ReadRing,
    Ref,
    SampleType,
    Unmap,
    UpdateElement,
)
from harness.script.outcome import Bytes, Lost, Sample, Unknown
from harness.script.outcome import Piece as Gap

EVENTS = CreateMap("map", MapType.PERF_EVENT_ARRAY, 4, 4, 2)
OUT = Ref("out")
E2BIG, EINVAL, ENOENT = -errno.E2BIG, -errno.EINVAL, -errno.ENOENT
ENOSPC, EOPNOTSUPP = -errno.ENOSPC, -errno.EOPNOTSUPP
SAMPLE = 48
"""Bytes of a sample with TID, CPU and sixteen bytes of data: header, two fields, size, data, padding."""
ROOM = (4096 - 1) // SAMPLE


def clauses(layout: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(_before(), _map(), _events(), _output(layout), _lifetime(layout), _reading(layout), _verifier()))


def _clause(id: str, sentence: str, *steps: Operation | Step) -> Clause:
    return Clause(id, sentence, steps, since="5.10")


def _before() -> tuple[Clause, ...]:
    call_it = program(call(Helper.PERF_EVENT_OUTPUT), exit_())
    load = LoadProgram("program", ProgramType.KPROBE, call_it, log_level=1)
    return (
        Clause(
            "PEA-01",
            "A PERF_EVENT_ARRAY gives EINVAL in 4.1, and an event of PERF_COUNT_SW_BPF_OUTPUT ENOENT: 4.1 has neither",
            (expect(EVENTS, "EINVAL"), expect(OpenOutputEvent("out"), "ENOENT")),
            NOTHING,
            until="4.1",
        ),
        Clause(
            "PEA-02",
            "A program that calls bpf_perf_event_output gives EINVAL in 4.1, which does not have the helper",
            (expect(load, Expectation("EINVAL", log="invalid func 25")),),
            until="4.1",
        ),
    )


def _map() -> tuple[Clause, ...]:
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
        _clause(
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


def _events() -> tuple[Clause, ...]:
    return (
        _clause(
            "PEA-10",
            "An event of PERF_COUNT_SW_BPF_OUTPUT is opened for a task or a CPU like any other",
            expect(OpenOutputEvent("task"), WORKS),
            expect(OpenOutputEvent("cpu", pid=-1, cpu=0), WORKS),
            expect(OpenOutputEvent("nowhere", pid=-1, cpu=-1), "EINVAL"),
            expect(OpenOutputEvent("far", pid=-1, cpu=4096), "EINVAL"),
            expect(OpenOutputEvent("nobody", pid=-2), "ESRCH"),
        ),
        _clause(
            "PEA-11",
            "An event of PERF_COUNT_SW_BPF_OUTPUT counts nothing, and takes no program: EINVAL",
            OpenOutputEvent("out"),
            expect(ReadCount(OUT), 0),
            accepted("program"),
            expect(Attach(OUT, Ref("program")), "EINVAL"),
            expect(Attach(OUT, -1), "EBADF"),
        ),
    )


def _put(size: int = 16, flags: int = 0) -> Piece:
    """bpf_perf_event_output() of the data on the stack."""
    where = (mov64_reg(R1, R6), ld_map(R2, "map"), ld_imm64(R3, flags))
    return (where, mov64_reg(R4, R10), add64_imm(R4, -24), mov64_imm(R5, size), call(Helper.PERF_EVENT_OUTPUT))


def _stored(out: OpenOutputEvent | None = None, pages: int = 2) -> tuple[Operation | Step, ...]:
    """An event with a ring, stored at index 0."""
    return (
        EVENTS,
        out or OpenOutputEvent("out"),
        MapRing("ring", OUT, pages),
        expect(UpdateElement(MAP, u32(0), OUT), 0),
    )


def _sample(size: int) -> Sample:
    """With so many bytes of data, and padding up to where the next record can begin."""
    padding = -(size + 4) % 8
    unknown = (Gap(size, padding, Unknown("padding")),) if padding else ()
    return Sample(raw=Bytes(DATA[:size] + bytes(padding), unknown))


def _output(layout: PtRegs) -> tuple[Clause, ...]:
    flags = (0, F_CURRENT_CPU, 1, 2, F_CURRENT_CPU - 1, 1 << 32, F_CURRENT_CPU | 1 << 32)
    return (
        _clause(
            "PEA-20",
            "A sample from bpf_perf_event_output has the bytes the program hands over, padded to where the "
            "next record begins",
            *_stored(),
            *attached(layout, data(), _put(16), keep(0), _put(5), keep(1), _put(4), keep(2), _put(0), keep(3)),
            prctl(),
            *results_are(0, 0, 0, 0),
            expect(ReadRing(RING), found(_sample(16), _sample(5), _sample(4), _sample(0))),
            expect(ReadCount(OUT), 0),
        ),
        *(
            Clause(
                f"PEA-21.{field.name}",
                f"A sample from bpf_perf_event_output carries PERF_SAMPLE_{field.name} if the event asks for it",
                (
                    *_stored(OpenOutputEvent("out", sample_type=field)),
                    *attached(layout, data(), _put(), keep(0)),
                    prctl(times=2),
                    *results_are(0),
                    expect(ReadRing(RING), records(2)),
                ),
                since="5.10",
            )
            for field in SampleType
        ),
        _clause(
            "PEA-22",
            "bpf_perf_event_output takes an index or BPF_F_CURRENT_CPU as flags; -ENOENT, -E2BIG and -EINVAL "
            "tell what is wrong with others",
            *_stored(),
            *attached(layout, data(), *(piece for at, one in enumerate(flags) for piece in (_put(16, one), keep(at)))),
            prctl(),
            *results_are(0, 0, ENOENT, E2BIG, E2BIG, EINVAL, EINVAL),
            expect(ReadRing(RING), found(_sample(16), _sample(16))),
        ),
        _clause(
            "PEA-23",
            "bpf_perf_event_output returns -ENOSPC if the ring is full, and the ring then tells how many "
            "records were lost",
            *_stored(pages=1),
            *attached(layout, data(), _put(), keep(0)),
            prctl(times=ROOM),
            *results_are(0),
            prctl(times=3),
            *results_are(ENOSPC),
            expect(ReadRing(RING), records(ROOM)),
            prctl(),
            *results_are(0),
            expect(ReadRing(RING), found(Lost(3), _sample(16))),
        ),
        _clause(
            "PEA-24",
            "bpf_perf_event_output returns -ENOSPC if the event has no ring, or one without data pages",
            EVENTS,
            OpenOutputEvent("out"),
            expect(UpdateElement(MAP, u32(0), OUT), 0),
            *attached(layout, data(), _put(), keep(0)),
            prctl(),
            *results_are(ENOSPC),
            expect(MapRing("empty", OUT, 0), 0),
            prctl(),
            *results_are(ENOSPC),
        ),
        _clause(
            "PEA-25",
            "bpf_perf_event_output returns -EOPNOTSUPP while the event is disabled",
            *_stored(OpenOutputEvent("out", disabled=True)),
            *attached(layout, data(), _put(), keep(0)),
            prctl(),
            *results_are(EOPNOTSUPP),
            expect(Enable(OUT), 0),
            prctl(),
            *results_are(0),
            expect(Disable(OUT), 0),
            prctl(),
            *results_are(EOPNOTSUPP),
            expect(ReadRing(RING), records(1)),
        ),
        _clause(
            "PEA-25.task",
            "bpf_perf_event_output returns -EOPNOTSUPP for an event of another task",
            *_stored(OpenOutputEvent("out", pid=1)),
            *attached(layout, data(), _put(), keep(0)),
            prctl(),
            *results_are(EOPNOTSUPP),
            expect(ReadRing(RING), records(0)),
        ),
        _clause(
            "PEA-26",
            "bpf_perf_event_output returns -EINVAL for an event of another type, such as that of a kprobe",
            EVENTS,
            *attached(layout, data(), _put(), keep(0)),
            expect(UpdateElement(MAP, u32(0), EVENT), 0),
            prctl(),
            *results_are(EINVAL),
        ),
    )


def _lifetime(layout: PtRegs) -> tuple[Clause, ...]:
    def outlives(id: str, sentence: str, *then: Operation | Step, map: CreateMap = EVENTS) -> Clause:
        _, *rest = _stored()
        return _clause(id, sentence, map, *rest, *attached(layout, data(), _put(), keep(0)), prctl(), *then)

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


def _read(flags: int) -> Piece:
    return (ld_map(R1, "map"), ld_imm64(R2, flags), call(Helper.PERF_EVENT_READ))


def _reading(layout: PtRegs) -> tuple[Clause, ...]:
    flags = (0, F_CURRENT_CPU, 1, 2, 1 << 32)
    into = (mov64_reg(R3, R10), add64_imm(R3, -32), mov64_imm(R4, 24))
    return (
        _clause(
            "PEA-40",
            "bpf_perf_event_read returns the count of a stored event, without the hit that the program runs for",
            EVENTS,
            *attached(layout, _read(0), keep(0), verdict=1),
            expect(UpdateElement(MAP, u32(0), EVENT), 0),
            prctl(times=3),
            *results_are(2),
            expect(ReadCount(EVENT), 3),
        ),
        _clause(
            "PEA-41",
            "bpf_perf_event_read takes the flags of bpf_perf_event_output, and returns the same errors for others",
            *_stored(),
            *attached(layout, *(piece for at, one in enumerate(flags) for piece in (_read(one), keep(at)))),
            prctl(),
            *results_are(0, 0, ENOENT, E2BIG, EINVAL),
        ),
        _clause(
            "PEA-42",
            "bpf_perf_event_read returns -EINVAL for an event of another task",
            *_stored(OpenOutputEvent("out", pid=1)),
            *attached(layout, _read(0), keep(0)),
            prctl(),
            *results_are(EINVAL),
        ),
        _clause(
            "PEA-43",
            "bpf_perf_event_read_value stores count and times, and clears them if it returns an error",
            EVENTS,
            *attached(
                layout,
                *(st(DW, R10, -at, -1) for at in (16, 24, 32)),
                *((ld_map(R1, "map"), mov64_imm(R2, 0), into, call(Helper.PERF_EVENT_READ_VALUE)), keep(0)),
                *(ldx(DW, R0, R10, -32), keep(1)),
                *((ld_map(R1, "map"), mov64_imm(R2, 1), into, call(Helper.PERF_EVENT_READ_VALUE)), keep(2)),
                *(ldx(DW, R0, R10, -16), keep(3)),
                verdict=1,
            ),
            expect(UpdateElement(MAP, u32(0), EVENT), 0),
            prctl(times=4),
            *results_are(0, 3, ENOENT, 0),
        ),
    )


def _verifier() -> tuple[Clause, ...]:
    end = (mov64_imm(R0, 0), exit_())
    first = (mov64_reg(R6, R1), data())

    def load(said: Said, *pieces: Piece, license: str = "GPL") -> Step:
        return expect(LoadProgram("program", ProgramType.KPROBE, program(*pieces), license), said)

    return (
        _clause(
            "PEA-50",
            "A program that calls bpf_perf_event_output and is not under the GPL gives EINVAL",
            EVENTS,
            load("EINVAL", first, _put(), end, license="MIT"),
        ),
        _clause(
            "PEA-50.read",
            "A program that calls bpf_perf_event_read and is not under the GPL gives EINVAL",
            EVENTS,
            load("EINVAL", _read(0), end, license="MIT"),
        ),
        _clause(
            "PEA-51",
            "A program that hands bpf_perf_event_output something else than its context gives EACCES",
            EVENTS,
            load("EACCES", mov64_imm(R6, 0), data(), _put(), end),
        ),
        _clause(
            "PEA-52",
            "A program that calls bpf_perf_event_output or bpf_perf_event_read with an array gives EINVAL",
            array("map"),
            load("EINVAL", first, _put(), end),
            load("EINVAL", _read(0), end),
        ),
        _clause(
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
