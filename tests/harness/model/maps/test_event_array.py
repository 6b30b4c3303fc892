# SPDX-License-Identifier: MIT
"""Arrays of perf events, through scripts: who holds whom open, and what doubt spreads to."""

from __future__ import annotations

from harness.core_scripts.parts import u32
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
    add64_imm,
    call,
    exit_,
    ld_imm64,
    ld_map,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    CreateMap,
    DeleteElement,
    FindTracepoint,
    LoadProgram,
    MapRing,
    MapType,
    OpenEvent,
    OpenOutputEvent,
    Operation,
    ProgramType,
    ReadCount,
    ReadRing,
    Ref,
    RemoveKprobe,
    UpdateElement,
)
from harness.script.outcome import Bytes, Outcome, Sample, Unknown, Unpredicted
from tests.harness.model.scripts import FIRE, PROBE, predict, said

EVENTS = CreateMap("events", MapType.PERF_EVENT_ARRAY, 4, 4, 2)
STORE = UpdateElement(Ref("events"), u32(0), Ref("out"))
PUT = program(
    *(mov64_reg(R6, R1), st(DW, R10, -8, 7), mov64_reg(R1, R6), ld_map(R2, "events"), ld_imm64(R3, 0)),
    *(mov64_reg(R4, R10), add64_imm(R4, -8), mov64_imm(R5, 5), call(Helper.PERF_EVENT_OUTPUT)),
    *(mov64_imm(R0, 0), exit_()),
)
PUTTING: tuple[Operation, ...] = (
    *(EVENTS, OpenOutputEvent("out"), MapRing("ring", Ref("out")), STORE, LoadProgram("p", ProgramType.KPROBE, PUT)),
    *(PROBE, OpenEvent("event", Ref("probe")), Attach(Ref("event"), Ref("p"))),
)


def test_a_sample_holds_the_data_and_unknown_padding() -> None:
    *_, read = predict(*PUTTING, FIRE, ReadRing(Ref("ring")), name="6.1")
    assert isinstance(read, Outcome) and read.records is not None
    (sample,) = read.records
    assert isinstance(sample, Sample) and isinstance(sample.raw, Bytes)
    assert sample.raw.content[:5] == b"\x07\0\0\0\0" and len(sample.raw.content) == 12
    assert sample.raw.admits(b"\x07\0\0\0\0" + b"anythin", {})


def test_events_live_as_long_as_a_map_holds_them() -> None:
    closed = (Close(Ref("event")), Close(Ref("out")), FIRE, ReadRing(Ref("ring")))
    assert said(predict(*PUTTING, *closed, name="6.1")[-1]) == 0  # the program's own event is closed: it does not run
    *_, kept = predict(*PUTTING, Close(Ref("out")), FIRE, ReadRing(Ref("ring")), name="6.1")
    assert said(kept) == 1


def test_a_stored_event_keeps_its_probe_busy_until_the_map_is_closed() -> None:
    store = UpdateElement(Ref("events"), u32(1), Ref("event"))
    held = (EVENTS, PROBE, OpenEvent("event", Ref("probe")), store, Close(Ref("event")), RemoveKprobe(Ref("probe")))
    assert said(predict(*held, name="6.1")[-1]) == "EBUSY"
    for end in (Close(Ref("events")), DeleteElement(Ref("events"), u32(1))):
        assert said(predict(*held, end, RemoveKprobe(Ref("probe")), name="6.1")[-1]) == 0


def test_who_may_run_at_any_time_makes_rings_doubtful() -> None:
    found = (FindTracepoint("probe", "sched/sched_switch"), OpenEvent("event", Ref("probe")))
    *_, read = predict(
        *found, EVENTS, UpdateElement(Ref("events"), u32(0), Ref("event")), ReadCount(Ref("event")), name="6.1"
    )
    assert isinstance(read, Outcome) and isinstance(read.value, Unknown)
    foreign = CreateKprobe("probe", "vfs_read")
    everywhere = tuple(foreign if operation is PROBE else operation for operation in PUTTING)
    symbols = frozenset({"vfs_read"})
    *_, read = predict(*everywhere, ReadRing(Ref("ring")), name="6.1", symbols=symbols)
    assert isinstance(read, Unpredicted) and "others than the script" in read.reason


def test_the_current_cpu_chooses_the_slot() -> None:
    current = program(
        *(mov64_reg(R6, R1), st(DW, R10, -8, 7), mov64_reg(R1, R6), ld_map(R2, "events"), ld_imm64(R3, 0xFFFFFFFF)),
        *(mov64_reg(R4, R10), add64_imm(R4, -8), mov64_imm(R5, 8), call(Helper.PERF_EVENT_OUTPUT)),
        *(mov64_imm(R0, 0), exit_()),
    )
    load = LoadProgram("p", ProgramType.KPROBE, current)
    steps = tuple(load if isinstance(operation, LoadProgram) else operation for operation in PUTTING)
    assert said(predict(*steps, FIRE, ReadRing(Ref("ring")), name="6.1")[-1]) == 1
    assert said(predict(*steps, FIRE, ReadRing(Ref("ring")), name="6.1", cpus=2, cpu=1)[-1]) == 0
