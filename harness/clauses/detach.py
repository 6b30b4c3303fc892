"""What ends an attachment, what does not, and how long things live."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, MAP, PROBE, PROGRAM, RING, SPARE, hits_are, holds, second_event
from harness.essentials.parts import PRCTL, array, count_hits, on_our_prctl, prctl, probed, u32, u64
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
            "the program is gone when the close of its event returns",
            (*counted, prctl(), hits_are(1), expect(Close(EVENT), 0), prctl(times=5), hits_are(1)),
        ),
        Clause(
            "DET-02",
            "closing another perf event of the trace event, one that never had a program, takes the program away; "
            "later kernels keep it",
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
            "closing the perf event that attached it takes the program away from others, too",
            (*counted, second_event(), Close(EVENT), prctl(times=2), hits_are(0), expect(ReadCount(SPARE), 2)),
        ),
        Clause(
            "DET-04",
            "an attempt to open an event on an unknown id leaves the program alone",
            (*counted, expect(OpenEvent("spare", 0), "EINVAL"), prctl(), hits_are(1)),
        ),
        Clause(
            "DET-04.task",
            "nor does one for a task that does not exist change anything",
            (*counted, expect(OpenEvent("spare", PROBE, pid=1 << 30), "ESRCH"), prctl(), hits_are(1)),
        ),
        Clause(
            "DET-07",
            "after the program went with another perf event, the first takes one again",
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
            "the event lives until the last copy of its descriptor is closed",
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
            "closing the program's descriptor changes nothing",
            (*counted, expect(Close(PROGRAM), 0), prctl(), hits_are(1)),
        ),
        Clause(
            "DET-10",
            "a map lives while a program uses it, also without a descriptor",
            (*dropping, Close(Ref("hits")), prctl(), expect(ReadCount(EVENT), 0)),
        ),
        Clause(
            "DET-13",
            "a probe cannot be removed while a perf event is open on it",
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
            "what was removed is not there",
            (CreateKprobe("probe", PRCTL), expect(RemoveKprobe(PROBE), 0), expect(RemoveKprobe(PROBE), "ENOENT")),
        ),
        Clause(
            "DET-18",
            "a mapping of the ring buffer keeps the event and its program",
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
            "after a detach the same program can be attached to a new event",
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
            "hits after a detach are kept, for the perf events that are left",
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
            "a map lives until the last copy of its descriptor is closed",
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
            "a descriptor can be closed once",
            (OpenFile("file"), expect(Close(Ref("file")), 0), expect(Close(Ref("file")), "EBADF")),
            NOTHING,
        ),
    )
