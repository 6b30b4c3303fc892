# SPDX-License-Identifier: MIT
"""Perf events and their rings with hits on two CPUs."""

from __future__ import annotations

from collections.abc import Iterable

from harness.abi.bpf import F_CURRENT_CPU
from harness.abi.pt_regs import PtRegs
from harness.clauses.concurrency.parts import clause, together
from harness.clauses.parts import EVENT, PROBE, PROGRAM, RING, hits_are
from harness.core_scripts.parts import (
    PRCTL,
    array,
    count_hits,
    kprobe_program,
    on_our_prctl,
    prctl,
    probed,
    u32,
)
from harness.isa.assemble import (
    DW,
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
    ld_imm64,
    ld_map,
    mov64_imm,
    mov64_reg,
    st,
)
from harness.script.clause import WORKS, Clause, Said, Step, expect, records
from harness.script.operations import (
    Attach,
    CreateKprobe,
    CreateMap,
    MapRing,
    MapType,
    OpenEvent,
    OpenOutputEvent,
    Pin,
    ReadCount,
    ReadRing,
    Ref,
    UpdateElement,
)


def events_clauses(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), kprobe_program("program", on_our_prctl(registers, count_hits())))
    on_both = [
        operation
        for cpu in range(2)
        for operation in (
            OpenEvent(f"event {cpu}", PROBE, cpu=cpu),
            MapRing(f"ring {cpu}", Ref(f"event {cpu}")),
        )
    ]
    return (
        clause(
            "PEO-09.where",
            "A perf event for one CPU counts and records hits on that CPU only; its program runs for hits on all",
            *counted,
            CreateKprobe("probe", PRCTL),
            *on_both,
            Attach(Ref("event 1"), PROGRAM),
            prctl(times=3),
            expect(Pin(1), 0),
            prctl(times=4),
            hits_are(7),
            *_each(ReadCount, "event", 3, 4),
            *_each(ReadRing, "ring", records(3), records(4)),
        ),
        clause(
            "PEO-08.where",
            "A perf event for every task on a CPU counts and records the hits of any thread on that CPU",
            CreateKprobe("probe", PRCTL),
            OpenEvent("event 0", PROBE, pid=-1, cpu=0),
            OpenEvent("event 1", PROBE, pid=-1, cpu=1),
            MapRing("ring", Ref("event 1")),
            together([prctl(times=20)], [prctl(times=30)]),
            *_each(ReadCount, "event", 20, 30),
            expect(ReadRing(RING), records(30)),
        ),
        clause(
            "RUN-45.thread",
            "A perf event for a thread counts none of another thread's hits, on whatever CPU",
            CreateKprobe("probe", PRCTL),
            OpenEvent("event", PROBE),
            together([prctl(times=20)], [prctl(times=30)]),
            expect(ReadCount(EVENT), 0),
            prctl(times=2),
            expect(ReadCount(EVENT), 2),
        ),
        clause(
            "PEO-09.own",
            "A perf event that a thread opened for itself keeps its count when the thread has ended",
            CreateKprobe("probe", PRCTL),
            together(
                [prctl(times=20)],
                [expect(OpenEvent("event", PROBE), WORKS), prctl(times=30)],
            ),
            prctl(times=2),
            expect(ReadCount(EVENT), 30),
        ),
    )


def output_clauses(registers: PtRegs) -> tuple[Clause, ...]:
    """Returns clauses about programs that pass data to the event of the CPU they run on."""
    put = (
        mov64_reg(R1, R6),
        ld_map(R2, "map"),
        ld_imm64(R3, F_CURRENT_CPU),
        st(DW, R10, -8, 5),
        mov64_reg(R4, R10),
        add64_imm(R4, -8),
        mov64_imm(R5, 8),
        call(Helper.PERF_EVENT_OUTPUT),
    )
    on_each = [
        step
        for cpu in range(2)
        for step in (
            expect(OpenOutputEvent(f"out {cpu}", pid=-1, cpu=cpu), WORKS),
            MapRing(f"ring {cpu}", Ref(f"out {cpu}")),
            expect(UpdateElement(Ref("map"), u32(cpu), Ref(f"out {cpu}")), 0),
        )
    ]
    return (
        clause(
            "PEA-60",
            "bpf_perf_event_output with BPF_F_CURRENT_CPU writes into the ring of the CPU the program runs "
            "on, also on two CPUs at the same time",
            CreateMap("map", MapType.PERF_EVENT_ARRAY, 4, 4, 2),
            *probed(on_our_prctl(registers, put)),
            *on_each,
            together([prctl(times=20)], [prctl(times=30)]),
            *_each(ReadRing, "ring", records(20), records(30)),
            prctl(times=2),
            *_each(ReadRing, "ring", records(2), records(0)),
            since="5.10",
        ),
    )


def _each(kind: type, name: str, *said: Said) -> Iterable[Step]:
    """Returns the steps for "event 0", "event 1" and so on."""
    return [expect(kind(Ref(f"{name} {number}")), wanted) for number, wanted in enumerate(said)]
