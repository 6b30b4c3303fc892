# SPDX-License-Identifier: MIT
"""Perf events and programs across fork, exec and exit: whose hits count, and what a process closes."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, PROGRAM, hits_are, in_child, second_event
from harness.core_scripts.parts import PRCTL, array, count_hits, element, kprobe_program, on_our_prctl, prctl, probed
from harness.isa.assemble import DW, R0, R1, R6, R7, exit_, jeq_imm, ldx, mov64_imm, mov64_reg, program, xadd
from harness.script.clause import WORKS, Clause, Step, expect
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    Disable,
    Duplicate,
    Enable,
    MapRing,
    OpenEvent,
    Operation,
    Program,
    ReadCount,
    Ref,
    RemoveKprobe,
)
from harness.script.processes import Execute, GetProcessId

LINE = "what is written"
WRITTEN = "write_null"


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    loaded = (array("hits"), kprobe_program("program", on_our_prctl(registers, count_hits())))
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    inherited = (
        *loaded,
        CreateKprobe("probe", PRCTL),
        *apart(),
        OpenEvent("event", PROBE, inherit=True),
        Attach(EVENT, PROGRAM),
    )
    on_write = kprobe_program("writes", _count_our_line(registers))
    return (
        Clause(
            "RUN-43.child",
            "A program runs for a child's hits, which its parent's event does not count",
            (
                *counted,
                *in_child(prctl(times=2), expect(ReadCount(EVENT), 0), hits_are(2)),
                hits_are(2),
                expect(ReadCount(EVENT), 0),
            ),
        ),
        Clause(
            "RUN-45.parent",
            "An event that a child opens for its parent counts none of the child's hits",
            (
                GetProcessId("parent"),
                CreateKprobe("probe", PRCTL),
                *in_child(
                    expect(OpenEvent("event", PROBE, pid=Ref("parent")), WORKS),
                    prctl(times=3),
                    expect(ReadCount(EVENT), 0),
                ),
            ),
        ),
        Clause(
            "DET-08.child",
            "Closing a child's copy of the event's descriptor leaves the program attached",
            (*counted, *in_child(expect(Close(EVENT), 0), prctl()), prctl(), hits_are(2)),
        ),
        Clause(
            "DET-08.parent",
            "A child's copy of the event's descriptor keeps the program attached until it is closed",
            (
                *counted,
                *in_child(
                    Duplicate("copy", EVENT),
                    Close(EVENT),
                    prctl(),
                    hits_are(1),
                    expect(Close(Ref("copy")), 0),
                    prctl(),
                    hits_are(2),
                ),
                expect(Close(EVENT), 0),
                prctl(),
                hits_are(2),
            ),
        ),
        Clause(
            "DET-14",
            "A process that exits closes its perf events: their programs are detached when its parent learns "
            "of the exit",
            (
                *loaded,
                CreateKprobe("probe", PRCTL),
                *in_child(OpenEvent("event", PROBE), expect(Attach(EVENT, PROGRAM), 0), prctl(), hits_are(1)),
                prctl(),
                hits_are(1),
                expect(RemoveKprobe(PROBE), 0),
            ),
        ),
        Clause(
            "DET-14.parent",
            "A program that a child attached to its parent's event stays attached after the child's exit",
            (
                *loaded,
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE),
                *in_child(expect(Attach(EVENT, PROGRAM), 0)),
                prctl(),
                hits_are(1),
            ),
        ),
        Clause(
            "DET-02.child",
            "A child's exit, which closes its own event, detaches its parent's program of the same trace "
            "event in 4.1; later kernels keep it",
            (*counted, *in_child(second_event()), prctl(), hits_are(0, {"5.10": 1})),
        ),
        Clause(
            "DET-15",
            "A perf event opened with PERF_FLAG_FD_CLOEXEC is closed by execve(2), and its program is detached",
            (*_executed(on_write, close_on_exec=True), hits_are(0)),
        ),
        Clause(
            "DET-15.kept",
            "A perf event opened without PERF_FLAG_FD_CLOEXEC stays across execve(2), with its program",
            (*_executed(on_write, close_on_exec=False), hits_are(1)),
        ),
        Clause(
            "DET-15.copy",
            "A copy of a perf event's descriptor made with dup(2) stays across execve(2), with the program",
            (
                array("hits"),
                on_write,
                CreateKprobe("probe", WRITTEN),
                *in_child(
                    OpenEvent("event", PROBE),
                    Attach(EVENT, Ref("writes")),
                    Duplicate("copy", EVENT),
                    expect(Execute(LINE), 0),
                ),
                hits_are(1),
            ),
        ),
        Clause(
            "DET-15.program",
            "execve(2) closes the program's descriptor, and the program stays attached",
            (
                array("hits"),
                on_write,
                CreateKprobe("probe", WRITTEN),
                OpenEvent("event", PROBE),
                *in_child(expect(Attach(EVENT, Ref("writes")), 0), expect(Execute(LINE), 0)),
                hits_are(1),
            ),
        ),
        Clause(
            "PEO-22",
            "An inherited event counts a child's hits, at once and after the child's exit",
            (
                CreateKprobe("probe", PRCTL),
                *apart(),
                OpenEvent("event", PROBE, inherit=True),
                prctl(),
                *in_child(prctl(times=3), expect(ReadCount(EVENT), 4)),
                expect(ReadCount(EVENT), 4),
                prctl(times=2),
                expect(ReadCount(EVENT), 6),
            ),
        ),
        Clause(
            "PEO-22.before",
            "An event that is not inherited counts none of a child's hits",
            (
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE),
                *in_child(prctl(times=3)),
                expect(ReadCount(EVENT), 0),
            ),
        ),
        Clause(
            "PEO-22.grandchild",
            "An inherited event counts a grandchild's hits",
            (
                CreateKprobe("probe", PRCTL),
                *apart(),
                OpenEvent("event", PROBE, inherit=True),
                *in_child(prctl(), *in_child(prctl(times=4)), expect(ReadCount(EVENT), 5)),
                expect(ReadCount(EVENT), 5),
            ),
        ),
        Clause(
            "PEO-22.disabled",
            "A child's copy of an inherited event is as enabled as its parent's, and is disabled and enabled with it",
            (
                CreateKprobe("probe", PRCTL),
                *apart(),
                OpenEvent("event", PROBE, inherit=True, disabled=True),
                *in_child(
                    prctl(),
                    expect(ReadCount(EVENT), 0),
                    expect(Enable(EVENT), 0),
                    prctl(times=2),
                    expect(Disable(EVENT), 0),
                    prctl(times=4),
                ),
                prctl(times=8),
                expect(ReadCount(EVENT), 2),
            ),
        ),
        Clause(
            "PEO-23",
            "An event opened disabled with enable_on_exec is enabled by execve(2)",
            (
                CreateKprobe("probe", WRITTEN),
                *apart(),
                OpenEvent("event", PROBE, inherit=True, disabled=True, enable_on_exec=True),
                *in_child(expect(Execute(LINE), 0)),
                expect(ReadCount(EVENT), 1),
            ),
        ),
        Clause(
            "PEO-23.not",
            "An event opened disabled without enable_on_exec stays disabled across execve(2)",
            (
                CreateKprobe("probe", WRITTEN),
                *apart(),
                OpenEvent("event", PROBE, inherit=True, disabled=True),
                *in_child(expect(Execute(LINE), 0)),
                expect(ReadCount(EVENT), 0),
            ),
        ),
        Clause(
            "RB-02",
            "An inherited event of a task on every CPU cannot be mapped: EINVAL",
            (
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE, inherit=True),
                expect(MapRing("ring", EVENT), "EINVAL"),
            ),
        ),
        Clause(
            "RB-02.cpu",
            "An inherited event of a task on one CPU can be mapped",
            (
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE, cpu=0, inherit=True),
                expect(MapRing("ring", EVENT), 0),
            ),
        ),
        Clause(
            "DET-06",
            "A child's exit detaches the program of an inherited event in 4.1 and since 6.12; 5.10 to 6.6 keep it",
            (*inherited, *in_child(prctl()), prctl(), hits_are(1, {"5.10": 2, "6.12": 1})),
        ),
        Clause(
            "DET-06.again",
            "An inherited event whose program went with a child takes a program again in 4.1; later kernels "
            "give EEXIST",
            (*inherited, *in_child(), expect(Attach(EVENT, PROGRAM), 0, {"5.10": "EEXIST"})),
        ),
    )


def apart() -> tuple[Operation, ...]:
    """Opens one more event, which is not inherited: with all events inherited, the kernel may give parent and child
    each other's when it switches between them, and it would be open whose are freed when the child exits."""
    return CreateKprobe("elsewhere", "null_lseek"), OpenEvent("apart", Ref("elsewhere"))


def _executed(load: Operation, *, close_on_exec: bool) -> tuple[Operation | Step, ...]:
    """Lets a child attach to its own event and execute a program that reaches the probe."""
    return (
        array("hits"),
        load,
        CreateKprobe("probe", WRITTEN),
        *in_child(
            OpenEvent("event", PROBE, close_on_exec=close_on_exec),
            Attach(EVENT, Ref("writes")),
            expect(Execute(LINE), 0),
        ),
    )


def _count_our_line(registers: PtRegs) -> Program:
    """Counts writes of the executed line's length to /dev/null."""
    return program(
        mov64_reg(R6, R1),
        ldx(DW, R7, R6, registers.argument(2)),
        jeq_imm(R7, len(LINE) + 1, "ours"),
        mov64_imm(R0, 0),
        exit_(),
        "ours",
        element("hits"),
        mov64_imm(R1, 1),
        xadd(DW, R0, 0, R1),
        mov64_imm(R0, 1),
        exit_(),
    )
