# SPDX-License-Identifier: MIT
"""PERF_EVENT_IOC_SET_BPF: what it accepts, what it refuses, and in which order; kernel/events/core.c."""

from __future__ import annotations

from harness.abi import perf
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROGRAM, SPARE, accepted, hits_are, opened, second_event
from harness.core_scripts.parts import PRCTL, array, count_hits, kprobe_program, on_our_prctl, prctl, probed
from harness.script.clause import WORKS, Clause, Step, expect
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    Disable,
    FindTracepoint,
    OpenEvent,
    OpenFile,
    Operation,
    Part,
    ProgramType,
    RawOpenEvent,
    Ref,
)

TRACEPOINT = (FindTracepoint("tracepoint", "sched/sched_process_fork"), OpenEvent("event", Ref("tracepoint")))
CLOSED = 1000
"""A descriptor that no script has open."""


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    type, config = Part(0, 4, perf.TYPE_SOFTWARE), Part(8, 8, perf.COUNT_SW_DUMMY)  # nothing counts for it
    software = RawOpenEvent("event", (type, Part(4, 4, perf.ATTR.size), config))
    return (
        Clause(
            "ATTACH-02",
            "Attaching a closed descriptor to an event that has a program gives EEXIST in 4.1, and EBADF in "
            "later kernels, which look at the descriptor first",
            (*counted, expect(Attach(EVENT, CLOSED), "EEXIST", {"5.10": "EBADF"})),
        ),
        Clause(
            "ATTACH-03",
            "Attaching a program of type KPROBE to the event of a static tracepoint gives EINVAL",
            (accepted("program"), *TRACEPOINT, expect(Attach(EVENT, PROGRAM), "EINVAL")),
        ),
        *(_no_program(*row) for row in _NO_PROGRAM),
        *(_wrong_type(type) for type in (ProgramType.SOCKET_FILTER, ProgramType.SCHED_CLS, ProgramType.SCHED_ACT)),
        *(
            Clause(
                f"ATTACH-01.{what}",
                f"Attaching {thing} to an event that is not of a trace event gives EINVAL{then}",
                (accepted("program"), expect(software, WORKS), expect(Attach(EVENT, descriptor), "EINVAL", later)),
            )
            for what, thing, then, descriptor, later in (
                ("program", "a program", "", PROGRAM, {}),
                ("closed", "a closed descriptor", " in 4.1, and EBADF in later kernels", CLOSED, {"5.10": "EBADF"}),
            )
        ),
        Clause(
            "ATTACH-17",
            "Attaching descriptor -1 does not take a program away: 4.1 gives EEXIST, later kernels EBADF",
            (*counted, expect(Attach(EVENT, -1), "EEXIST", {"5.10": "EBADF"}), prctl(), hits_are(1)),
        ),
        Clause(
            "ATTACH-07",
            "A program of type KPROBE is attached to the event of a kprobe, and runs when the kprobe is hit",
            (
                array("hits"),
                kprobe_program("program", on_our_prctl(registers, count_hits())),
                *opened(),
                expect(Attach(EVENT, PROGRAM), 0),
                prctl(),
                hits_are(1),
            ),
        ),
        Clause(
            "ATTACH-09",
            "Attaching a closed descriptor to the event of a static tracepoint gives EINVAL in 4.1, and "
            "EBADF in later kernels, which look at the descriptor first",
            (*TRACEPOINT, expect(Attach(EVENT, CLOSED), "EINVAL", {"5.10": "EBADF"})),
        ),
        Clause(
            "ATTACH-10",
            "Attaching descriptor -1 to the event of a kprobe gives EBADF",
            (*opened(), expect(Attach(EVENT, -1), "EBADF")),
        ),
        Clause(
            "ATTACH-11.same",
            "Attaching the same program to the same event again gives EEXIST, and it runs once a hit",
            (*counted, expect(Attach(EVENT, PROGRAM), "EEXIST"), prctl(), hits_are(1)),
        ),
        Clause(
            "ATTACH-11.other",
            "Attaching another program to an event that has one gives EEXIST, and the first one stays",
            (*counted, accepted("other"), expect(Attach(EVENT, Ref("other")), "EEXIST"), prctl(), hits_are(1)),
        ),
        Clause(
            "ATTACH-12.other",
            "A second perf event of a trace event that has a program takes none in 4.1 (EEXIST); in later "
            "kernels it takes another one, and both run",
            (
                *counted,
                kprobe_program("other", on_our_prctl(registers, count_hits())),
                second_event(),
                expect(Attach(SPARE, Ref("other")), "EEXIST", {"5.10": 0}),
                prctl(),
                hits_are(1, {"5.10": 2}),
            ),
        ),
        Clause(
            "ATTACH-12.same",
            "Attaching the same program to a second perf event of the trace event gives EEXIST",
            (*counted, second_event(), expect(Attach(SPARE, PROGRAM), "EEXIST"), prctl(), hits_are(1)),
        ),
        Clause(
            "ATTACH-12.limit",
            "A trace event takes 64 programs; one more gives E2BIG, until one is detached",
            (*_many_events(64), *_one_more()),
            since="5.10",
        ),
        Clause(
            "ATTACH-13",
            "One program can be attached to the events of two trace events",
            (
                *counted,
                CreateKprobe("elsewhere", "null_lseek"),
                OpenEvent("second event", Ref("elsewhere")),
                expect(Attach(Ref("second event"), PROGRAM), 0),
                prctl(),
                hits_are(1),
            ),
        ),
        Clause(
            "ATTACH-14",
            "Two trace events on one function take a program each, and both programs run",
            (
                *counted,
                kprobe_program("other", on_our_prctl(registers, count_hits())),
                CreateKprobe("second", PRCTL),
                OpenEvent("second event", Ref("second")),
                expect(Attach(Ref("second event"), Ref("other")), 0),
                prctl(times=3),
                hits_are(6),
            ),
        ),
        Clause(
            "ATTACH-15",
            "The event of a return probe takes programs of type KPROBE",
            (
                accepted("program"),
                CreateKprobe("probe", PRCTL, returns=True),
                OpenEvent("event", Ref("probe")),
                expect(Attach(EVENT, PROGRAM), 0),
            ),
        ),
        Clause(
            "ATTACH-16.from-the-start",
            "An event that was opened disabled takes a program",
            (
                accepted("program"),
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", Ref("probe"), disabled=True),
                expect(Attach(EVENT, PROGRAM), 0),
            ),
        ),
        Clause(
            "ATTACH-16.by-ioctl",
            "An event that was disabled with PERF_EVENT_IOC_DISABLE takes a program",
            (accepted("program"), *opened(), expect(Disable(EVENT), 0), expect(Attach(EVENT, PROGRAM), 0)),
        ),
        Clause(
            "ATTACH-20.file",
            "PERF_EVENT_IOC_SET_BPF on a file that is no perf event gives ENOTTY",
            (accepted("program"), OpenFile("file"), expect(Attach(Ref("file"), PROGRAM), "ENOTTY")),
        ),
        Clause(
            "ATTACH-20.map",
            "PERF_EVENT_IOC_SET_BPF on a map gives ENOTTY",
            (accepted("program"), array("map"), expect(Attach(Ref("map"), PROGRAM), "ENOTTY")),
        ),
        Clause(
            "ATTACH-20.program",
            "PERF_EVENT_IOC_SET_BPF on a program gives ENOTTY",
            (accepted("program"), expect(Attach(PROGRAM, PROGRAM), "ENOTTY")),
        ),
        Clause(
            "ATTACH-20.closed",
            "PERF_EVENT_IOC_SET_BPF on a descriptor that is not open gives EBADF",
            (accepted("program"), expect(Attach(-1, PROGRAM), "EBADF")),
        ),
    )


_NO_PROGRAM: tuple[tuple[str, str, tuple[Operation, ...], Ref | int, str], ...] = (
    ("ATTACH-04", "a descriptor that is not open", (), CLOSED, "EBADF"),
    ("ATTACH-05.map", "a map", (array("map"),), Ref("map"), "EINVAL"),
    ("ATTACH-05.file", "a file", (OpenFile("file"),), Ref("file"), "EINVAL"),
    ("ATTACH-05.event", "the event itself", (), EVENT, "EINVAL"),
)


def _no_program(id: str, what: str, made: tuple[Operation, ...], descriptor: Ref | int, errno: str) -> Clause:
    sentence = f"Attaching {what} instead of a program gives {errno}"
    return Clause(id, sentence, (*made, *opened(), expect(Attach(EVENT, descriptor), errno)))


def _wrong_type(type: ProgramType) -> Clause:
    return Clause(
        f"ATTACH-06.{type.name.lower()}",
        f"Attaching a program of type {type.name} to the event of a kprobe gives EINVAL, and the event stays free",
        (
            accepted("other", type),
            *opened(),
            expect(Attach(EVENT, Ref("other")), "EINVAL"),
            accepted("program"),
            expect(Attach(EVENT, PROGRAM), 0),
        ),
    )


def _many_events(count: int) -> tuple[Operation | Step, ...]:
    """Returns a trace event with `count` perf events, each with a program of its own."""
    steps: list[Operation | Step] = [CreateKprobe("probe", PRCTL)]
    for number in range(count):
        steps += [
            OpenEvent(f"event {number}", Ref("probe")),
            accepted(f"program {number}"),
            expect(Attach(Ref(f"event {number}"), Ref(f"program {number}")), 0),
        ]
    return tuple(steps)


def _one_more() -> tuple[Operation | Step, ...]:
    return (
        OpenEvent("event", Ref("probe")),
        accepted("program"),
        expect(Attach(EVENT, PROGRAM), "E2BIG"),
        expect(Close(Ref("event 0")), 0),
        expect(Attach(EVENT, PROGRAM), 0),
    )
