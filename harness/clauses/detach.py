# SPDX-License-Identifier: MIT
"""The ends of attachments, and the lifetimes of events, programs and probes."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, MAP, PROBE, PROGRAM, RING, SPARE, hits_are, holds, second_event
from harness.core_scripts.parts import PRCTL, array, count_hits, on_our_prctl, prctl, probed, u32, u64
from harness.script.clause import NOTHING, Clause, expect
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    Duplicate,
    LookupElement,
    MapRing,
    OpenEvent,
    OpenFile,
    ReadCount,
    Ref,
    RemoveKprobe,
    Unmap,
    UpdateElement,
)


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    dropping = (array("hits"), *probed(on_our_prctl(registers, count_hits(verdict=0))))
    return (
        Clause(
            "DET-01",
            "Closing the perf event detaches its program: when close(2) has returned, no hit runs it",
            (*counted, prctl(), hits_are(1), expect(Close(EVENT), 0), prctl(times=5), hits_are(1)),
        ),
        Clause(
            "DET-02",
            "Closing another perf event of the trace event, one that never had a program, detaches the "
            "program in 4.1; later kernels keep it",
            (
                *counted,
                second_event(),
                prctl(),
                hits_are(1),
                expect(Close(SPARE), 0),
                prctl(times=2),
                hits_are(1, {"5.10": 3}),
            ),
        ),
        Clause(
            "DET-02.owner",
            "Closing the perf event that the program was attached to detaches it, although the trace event "
            "has another perf event",
            (*counted, second_event(), Close(EVENT), prctl(times=2), hits_are(0), expect(ReadCount(SPARE), 2)),
        ),
        Clause(
            "DET-04",
            "An attempt to open a perf event on an unknown id gives EINVAL and leaves the programs on other "
            "trace events attached",
            (*counted, expect(OpenEvent("spare", 0), "EINVAL"), prctl(), hits_are(1)),
        ),
        Clause(
            "DET-04.task",
            "An attempt to open a perf event for a task that does not exist gives ESRCH and leaves the program "
            "attached",
            (*counted, expect(OpenEvent("spare", PROBE, pid=1 << 30), "ESRCH"), prctl(), hits_are(1)),
        ),
        Clause(
            "DET-07",
            "An event whose program was detached by closing another perf event takes a program again in 4.1; "
            "later kernels give EEXIST, since it has kept its own",
            (
                *counted,
                second_event(),
                Close(SPARE),
                expect(Attach(EVENT, PROGRAM), 0, {"5.10": "EEXIST"}),
                prctl(),
                hits_are(1),
            ),
        ),
        Clause(
            "DET-08",
            "A perf event and its program stay until the last copy of its descriptor is closed",
            (
                *counted,
                Duplicate("copy", EVENT),
                expect(Close(EVENT), 0),
                prctl(),
                hits_are(1),
                expect(Close(Ref("copy")), 0),
                prctl(),
                hits_are(1),
            ),
        ),
        Clause(
            "DET-09",
            "Closing the program's descriptor leaves the program attached",
            (*counted, expect(Close(PROGRAM), 0), prctl(), hits_are(1)),
        ),
        Clause(
            "DET-10",
            "A map without a descriptor stays while an attached program uses it",
            (*dropping, Close(Ref("hits")), prctl(), expect(ReadCount(EVENT), 0)),
        ),
        Clause(
            "DET-13",
            "A kprobe cannot be removed while a perf event is open on it: EBUSY; once the event is closed, it can",
            (
                *counted,
                expect(RemoveKprobe(PROBE), "EBUSY"),
                prctl(),
                hits_are(1),
                Close(EVENT),
                expect(RemoveKprobe(PROBE), 0),
            ),
        ),
        Clause(
            "DET-13.twice",
            "Removing a kprobe that was removed gives ENOENT",
            (CreateKprobe("probe", PRCTL), expect(RemoveKprobe(PROBE), 0), expect(RemoveKprobe(PROBE), "ENOENT")),
        ),
        Clause(
            "DET-18",
            "A mapping of its ring keeps a perf event and its program when the descriptor is closed: the kprobe "
            "is in use, EBUSY",
            (
                *counted,
                expect(MapRing("ring", EVENT), 0),
                expect(Close(EVENT), 0),
                prctl(),
                hits_are(1),
                expect(RemoveKprobe(PROBE), "EBUSY"),
                expect(Unmap(RING), 0),
                prctl(),
                hits_are(1),
                expect(RemoveKprobe(PROBE), 0),
            ),
        ),
        Clause(
            "DET-01.again",
            "A program that was detached can be attached to a new perf event",
            (
                *counted,
                prctl(),
                Close(EVENT),
                OpenEvent("again", PROBE),
                expect(Attach(Ref("again"), PROGRAM), 0),
                prctl(),
                hits_are(2),
            ),
        ),
        Clause(
            "RUN-58",
            "Hits count on the perf events that are left when a program that dropped them is detached",
            (
                *dropping,
                second_event(),
                prctl(),
                expect(ReadCount(SPARE), 0),
                Close(EVENT),
                prctl(times=2),
                expect(ReadCount(SPARE), 2),
            ),
        ),
        Clause(
            "DET-08.map",
            "A map stays until the last copy of its descriptor is closed",
            (
                array("map"),
                UpdateElement(MAP, u32(0), u64(5)),
                Duplicate("copy", MAP),
                Close(MAP),
                holds("copy", 5),
                expect(Close(Ref("copy")), 0),
                expect(LookupElement(Ref("copy"), u32(0), 8), "EBADF"),
            ),
            NOTHING,
        ),
        Clause(
            "DET-08.close",
            "close(2) of a descriptor that was closed gives EBADF",
            (OpenFile("file"), expect(Close(Ref("file")), 0), expect(Close(Ref("file")), "EBADF")),
            NOTHING,
        ),
    )
