# SPDX-License-Identifier: MIT
"""The perf events that a slot takes, and bpf_perf_event_read()."""

from __future__ import annotations

from harness.abi.bpf import F_CURRENT_CPU
from harness.abi.pt_regs import PtRegs
from harness.clauses.event_array.parts import E2BIG, EINVAL, ENOENT, EVENTS, OUT, clause, read, stored
from harness.clauses.parts import EVENT, MAP, accepted
from harness.clauses.results import attached, keep, results_are
from harness.core_scripts.parts import prctl, u32
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R10,
    Helper,
    add64_imm,
    call,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    st,
)
from harness.script.clause import WORKS, Clause, expect
from harness.script.operations import (
    Attach,
    OpenOutputEvent,
    ReadCount,
    Ref,
    UpdateElement,
)


def events_clauses() -> tuple[Clause, ...]:
    return (
        clause(
            "PEA-10",
            "An event of PERF_COUNT_SW_BPF_OUTPUT is opened for a task or a CPU like any other",
            expect(OpenOutputEvent("task"), WORKS),
            expect(OpenOutputEvent("cpu", pid=-1, cpu=0), WORKS),
            expect(OpenOutputEvent("nowhere", pid=-1, cpu=-1), "EINVAL"),
            expect(OpenOutputEvent("far", pid=-1, cpu=4096), "EINVAL"),
            expect(OpenOutputEvent("nobody", pid=-2), "ESRCH"),
        ),
        clause(
            "PEA-11",
            "An event of PERF_COUNT_SW_BPF_OUTPUT counts nothing, and takes no program: EINVAL",
            OpenOutputEvent("out"),
            expect(ReadCount(OUT), 0),
            accepted("program"),
            expect(Attach(OUT, Ref("program")), "EINVAL"),
            expect(Attach(OUT, -1), "EBADF"),
        ),
    )


def reading_clauses(layout: PtRegs) -> tuple[Clause, ...]:
    flags = (0, F_CURRENT_CPU, 1, 2, 1 << 32)
    into = (mov64_reg(R3, R10), add64_imm(R3, -32), mov64_imm(R4, 24))
    return (
        clause(
            "PEA-40",
            "bpf_perf_event_read returns the count of a stored event, without the hit that the program runs for",
            EVENTS,
            *attached(layout, read(0), keep(0), verdict=1),
            expect(UpdateElement(MAP, u32(0), EVENT), 0),
            prctl(times=3),
            *results_are(2),
            expect(ReadCount(EVENT), 3),
        ),
        clause(
            "PEA-41",
            "bpf_perf_event_read takes the flags of bpf_perf_event_output, and returns the same errors for others",
            *stored(),
            *attached(layout, *(piece for at, one in enumerate(flags) for piece in (read(one), keep(at)))),
            prctl(),
            *results_are(0, 0, ENOENT, E2BIG, EINVAL),
        ),
        clause(
            "PEA-42",
            "bpf_perf_event_read returns -EINVAL for an event of another task",
            *stored(OpenOutputEvent("out", pid=1)),
            *attached(layout, read(0), keep(0)),
            prctl(),
            *results_are(EINVAL),
        ),
        clause(
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
