# SPDX-License-Identifier: MIT
"""Helpers and sample fields about the caller and the time: kernel/bpf/helpers.c, kernel/events/core.c."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, RING, holds, in_child, keep, opened, seeing
from harness.core_scripts.parts import PRCTL, on_our_prctl, prctl, read_u64
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R7,
    R8,
    R10,
    Helper,
    add64_imm,
    call,
    ldx,
    mov64_imm,
    mov64_reg,
    st,
)
from harness.script.clause import WORKS, Clause, Step, expect, records
from harness.script.operations import (
    CreateKprobe,
    MapRing,
    OpenEvent,
    Operation,
    Program,
    ReadRing,
    SampleType,
)
from harness.script.outcome import OneOf
from harness.script.processes import GetProcessId, SetCredentials, SetName
from harness.script.surroundings import ReadClock

USER = 1000
Steps = tuple[Operation | Step, ...]


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return *_caller(registers), *_time(registers)


def _caller(registers: PtRegs) -> tuple[Clause, ...]:
    """Returns H-10 to H-12: what a program gets of the calling process; kprobe programs since 4.2."""

    def result(helper: Helper) -> Steps:
        keeps = call(helper), mov64_reg(R8, R0), keep(R8, 0), mov64_imm(R0, 0)
        return seeing(on_our_prctl(registers, keeps), PRCTL)

    def named(room: int) -> Steps:
        asks = (
            st(DW, R10, -16, -1),
            st(DW, R10, -8, -1),
            mov64_reg(R1, R10),
            add64_imm(R1, -16),
            mov64_imm(R2, room),
            call(Helper.GET_CURRENT_COMM),
            ldx(DW, R7, R10, -16),
            ldx(DW, R8, R10, -8),
        )
        # Keys of the lookups lie at -4, so both halves are taken from the stack before.
        return seeing(on_our_prctl(registers, asks, keep(R7, 0), keep(R8, 1), mov64_imm(R0, 0)), PRCTL)

    def halves(text: bytes, rest: int) -> Steps:
        """Returns the steps: behind the name come zeros; in 6.1 perhaps what was there, if the buffer has `rest` bytes
        more."""
        left = text[: len(text) - rest] + b"\xff" * rest
        return tuple(
            expect(read_u64("seen", key), text[at : at + 8], {"6.1": OneOf((text[at : at + 8], left[at : at + 8]))})
            for key, at in enumerate((0, 8))
        )

    return (
        Clause(
            "H-10",
            "bpf_get_current_pid_tgid returns process and thread id of the process that reached the probe",
            (*result(Helper.GET_CURRENT_PID_TGID), GetProcessId("process"), prctl(), expect(read_u64("seen"), WORKS)),
            since="5.10",
        ),
        Clause(
            "H-10.child",
            "bpf_get_current_pid_tgid returns the child's ids when a child reached the probe",
            (
                *result(Helper.GET_CURRENT_PID_TGID),
                GetProcessId("parent"),
                *in_child(GetProcessId("child"), prctl(), expect(read_u64("seen"), WORKS)),
            ),
            since="5.10",
        ),
        Clause(
            "H-11",
            "bpf_get_current_uid_gid returns 0 for user and group of root",
            (*result(Helper.GET_CURRENT_UID_GID), prctl(), holds("seen", 0)),
            since="5.10",
        ),
        Clause(
            "H-11.unprivileged",
            "bpf_get_current_uid_gid returns user and group that the process has become",
            (
                *result(Helper.GET_CURRENT_UID_GID),
                *in_child(expect(SetCredentials(USER), 0), prctl()),
                holds("seen", USER << 32 | USER),
            ),
            since="5.10",
        ),
        *(
            Clause(
                f"H-12.{what}",
                f"bpf_get_current_comm writes the name of the process that reached the probe: {shown}",
                (*named(room), *in_child(expect(SetName(name), 0), prctl()), *halves(content, rest)),
                since="5.10",
            )
            for what, shown, room, name, content, rest in (
                ("short", "a short one, with zeros behind it", 16, b"short", b"short".ljust(16, b"\0"), 10),
                ("full", "15 letters and a zero", 16, b"fifteen-letters", b"fifteen-letters\0", 0),
                ("cut", "the first 15 letters of a longer one", 16, b"more-than-fifteen", b"more-than-fifte\0", 0),
                (
                    "room",
                    "7 letters and a zero where there is room for 8",
                    8,
                    b"fifteen-letters",
                    b"fifteen\0" + b"\xff" * 8,
                    0,
                ),
            )
        ),
    )


def _time(registers: PtRegs) -> tuple[Clause, ...]:
    def clock_to(key: int) -> Program:
        return on_our_prctl(registers, call(Helper.KTIME_GET_NS), mov64_reg(R8, R0), keep(R8, key), mov64_imm(R0, 0))

    return (
        Clause(
            "H-05.clock",
            "bpf_ktime_get_ns returns CLOCK_MONOTONIC: it lies between the caller's readings",
            (
                *seeing(clock_to(0), PRCTL),
                expect(ReadClock("before"), WORKS),
                prctl(),
                expect(ReadClock("after"), WORKS),
                expect(read_u64("seen"), WORKS),
                prctl(),
                expect(ReadClock("later"), WORKS),
                expect(read_u64("seen"), WORKS),
            ),
        ),
        Clause(
            "PEO-24",
            "Samples of an event with use_clockid tell the time of the clock that the event asks for",
            (
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE, sample_type=SampleType.TIME, monotonic=True),
                MapRing("ring", EVENT),
                expect(ReadClock("before"), WORKS),
                prctl(times=3),
                expect(ReadClock("after"), WORKS),
                expect(ReadRing(RING), records(3)),
            ),
        ),
        Clause(
            "RB-07.order",
            "Samples lie in the ring in the order of their times",
            (
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE, sample_type=SampleType.TIME),
                MapRing("ring", EVENT),
                prctl(times=20),
                expect(ReadRing(RING), records(20)),
            ),
        ),
        Clause(
            "RB-13",
            "Samples tell the thread that reached the probe, in their fields and in their raw payload",
            (
                GetProcessId("process"),
                *opened(),
                MapRing("ring", EVENT),
                prctl(times=2),
                expect(ReadRing(RING), records(2)),
            ),
        ),
    )
