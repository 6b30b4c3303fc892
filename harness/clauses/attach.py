"""PERF_EVENT_IOC_SET_BPF: what it takes, what it refuses, and in which order; kernel/events/core.c."""

from __future__ import annotations

from harness.abi import perf
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROGRAM, SPARE, accepted, hits_are, opened, second_event
from harness.essentials.parts import PRCTL, array, count_hits, kprobe_program, on_our_prctl, prctl, probed
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
SOFTWARE, DUMMY = 1, 9
"""PERF_TYPE_SOFTWARE, PERF_COUNT_SW_DUMMY: an event that nothing counts for."""
CLOSED = 1000
"""No script has that many descriptors open."""


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    software = RawOpenEvent("event", (Part(0, 4, SOFTWARE), Part(4, 4, perf.ATTR.size), Part(8, 8, DUMMY)))
    return (
        Clause(
            "ATTACH-02",
            "a trace event that has a program takes no other, and the descriptor is not looked at; later kernels ask "
            "only this perf event, and the descriptor comes first since 6.1",
            (*counted, expect(Attach(EVENT, CLOSED), "EEXIST", {"5.10": "EBADF"})),
        ),
        Clause(
            "ATTACH-03",
            "the event of a static tracepoint takes no program of type KPROBE",
            (accepted("program"), *TRACEPOINT, expect(Attach(EVENT, PROGRAM), "EINVAL")),
        ),
        *(_no_program(*row) for row in _NO_PROGRAM),
        *(_wrong_type(type) for type in (ProgramType.SOCKET_FILTER, ProgramType.SCHED_CLS, ProgramType.SCHED_ACT)),
        *(
            Clause(
                f"ATTACH-01.{what}",
                "an event that is none of a trace event takes no program; later kernels look at the descriptor first",
                (accepted("program"), expect(software, WORKS), expect(Attach(EVENT, descriptor), "EINVAL", later)),
            )
            for what, descriptor, later in (("program", PROGRAM, {}), ("closed", CLOSED, {"5.10": "EBADF"}))
        ),
        Clause(
            "ATTACH-17",
            "a program cannot be taken away by attaching none",
            (*counted, expect(Attach(EVENT, -1), "EEXIST", {"5.10": "EBADF"}), prctl(), hits_are(1)),
        ),
        Clause(
            "ATTACH-07",
            "a program of type KPROBE is attached to the event of a kprobe, and runs",
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
            "a tracepoint's event refuses before the descriptor is looked at; later kernels look at it",
            (*TRACEPOINT, expect(Attach(EVENT, CLOSED), "EINVAL", {"5.10": "EBADF"})),
        ),
        Clause(
            "ATTACH-10",
            "descriptor -1 is no program",
            (*opened(), expect(Attach(EVENT, -1), "EBADF")),
        ),
        Clause(
            "ATTACH-11.same",
            "the same program a second time on the same event",
            (*counted, expect(Attach(EVENT, PROGRAM), "EEXIST"), prctl(), hits_are(1)),
        ),
        Clause(
            "ATTACH-11.other",
            "another program on an event that has one: the first one stays",
            (*counted, accepted("other"), expect(Attach(EVENT, Ref("other")), "EEXIST"), prctl(), hits_are(1)),
        ),
        Clause(
            "ATTACH-12.other",
            "a trace event takes one program; later kernels take one for each of its perf events",
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
            "the same program on a second perf event of the trace event",
            (*counted, second_event(), expect(Attach(SPARE, PROGRAM), "EEXIST"), prctl(), hits_are(1)),
        ),
        Clause(
            "ATTACH-12.limit",
            "since several programs are taken, a trace event takes 64",
            (*_many_events(64), *_one_more()),
            since="5.10",
        ),
        Clause(
            "ATTACH-13",
            "one program serves two trace events",
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
            "two trace events on one function, each with its program: both run",
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
            "the event of a return probe takes the same programs",
            (
                accepted("program"),
                CreateKprobe("probe", PRCTL, returns=True),
                OpenEvent("event", Ref("probe")),
                expect(Attach(EVENT, PROGRAM), 0),
            ),
        ),
        Clause(
            "ATTACH-16.from-the-start",
            "an event that was opened disabled takes a program",
            (
                accepted("program"),
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", Ref("probe"), disabled=True),
                expect(Attach(EVENT, PROGRAM), 0),
            ),
        ),
        Clause(
            "ATTACH-16.by-ioctl",
            "an event that was disabled takes a program",
            (accepted("program"), *opened(), expect(Disable(EVENT), 0), expect(Attach(EVENT, PROGRAM), 0)),
        ),
        Clause(
            "ATTACH-20.file",
            "what is no perf event knows no such ioctl",
            (accepted("program"), OpenFile("file"), expect(Attach(Ref("file"), PROGRAM), "ENOTTY")),
        ),
        Clause(
            "ATTACH-20.map",
            "nor does a map",
            (accepted("program"), array("map"), expect(Attach(Ref("map"), PROGRAM), "ENOTTY")),
        ),
        Clause(
            "ATTACH-20.program",
            "nor a program",
            (accepted("program"), expect(Attach(PROGRAM, PROGRAM), "ENOTTY")),
        ),
        Clause(
            "ATTACH-20.closed",
            "nor what is not open",
            (accepted("program"), expect(Attach(-1, PROGRAM), "EBADF")),
        ),
    )


_NO_PROGRAM: tuple[tuple[str, tuple[Operation, ...], Ref | int, str], ...] = (
    ("ATTACH-04", (), CLOSED, "EBADF"),
    ("ATTACH-05.map", (array("map"),), Ref("map"), "EINVAL"),
    ("ATTACH-05.file", (OpenFile("file"),), Ref("file"), "EINVAL"),
    ("ATTACH-05.event", (), EVENT, "EINVAL"),
)


def _no_program(id: str, made: tuple[Operation, ...], descriptor: Ref | int, errno: str) -> Clause:
    sentence = "a descriptor that is no program's is refused"
    return Clause(id, sentence, (*made, *opened(), expect(Attach(EVENT, descriptor), errno)))


def _wrong_type(type: ProgramType) -> Clause:
    return Clause(
        f"ATTACH-06.{type.name.lower()}",
        "a program of another type is refused, and the event stays free",
        (
            accepted("other", type),
            *opened(),
            expect(Attach(EVENT, Ref("other")), "EINVAL"),
            accepted("program"),
            expect(Attach(EVENT, PROGRAM), 0),
        ),
    )


def _many_events(count: int) -> tuple[Operation | Step, ...]:
    """A trace event with `count` perf events, each with a program of its own."""
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
