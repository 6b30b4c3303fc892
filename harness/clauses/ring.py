"""The ring buffer and the count: what a hit leaves behind; kernel/events/ring_buffer.c, core.c."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, RING, SPARE, opened, second_event
from harness.essentials.parts import PRCTL, array, prctl
from harness.script.clause import WORKS, Clause, expect, records
from harness.script.operations import (
    Close,
    CreateKprobe,
    Disable,
    Enable,
    MapRing,
    OpenEvent,
    OpenFile,
    ReadCount,
    ReadRing,
    Ref,
    SampleType,
    Unmap,
)

PAGE = 4096
SAMPLE_SIZES = {False: 48, True: 56}
"""Bytes of a sample with TID, CPU and RAW, of an entry and of a return probe (RB-11)."""


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return (
        *(
            Clause(
                f"RB-01.{pages}",
                "a ring has no data pages or a power of two of them",
                (*opened(), expect(MapRing("ring", EVENT, pages), said)),
            )
            for pages, said in ((0, 0), (1, 0), (2, 0), (3, "EINVAL"), (4, 0), (6, "EINVAL"), (64, 0))
        ),
        Clause(
            "RB-01.twice",
            "an event may be mapped twice, at the same size only",
            (
                *opened(),
                MapRing("ring", EVENT, 2),
                expect(MapRing("again", EVENT, 2), 0),
                expect(MapRing("larger", EVENT, 4), "EINVAL"),
            ),
        ),
        Clause(
            "RB-01.map",
            "a map of 4.1 has no memory to map",
            (array("map"), expect(MapRing("ring", Ref("map")), "ENODEV", {"5.10": "EINVAL"})),
        ),
        Clause("RB-01.closed", "nor has what is not open", (expect(MapRing("ring", -1), "EBADF"),)),
        Clause(
            "RB-04",
            "records are read once",
            (
                *opened(),
                MapRing("ring", EVENT),
                prctl(times=3),
                expect(ReadRing(RING), records(3)),
                expect(ReadRing(RING), records(0)),
                prctl(),
                expect(ReadRing(RING), records(1)),
            ),
        ),
        *(_wrap(returns) for returns in (False, True)),
        *(_overflow(returns) for returns in (False, True)),
        Clause(
            "RB-14.no-ring",
            "without a ring records vanish, the count goes on",
            (
                *opened(),
                prctl(times=7),
                expect(ReadCount(EVENT), 7),
                MapRing("ring", EVENT),
                expect(ReadRing(RING), records(0)),
            ),
        ),
        Clause(
            "RB-14.no-data",
            "nor does a ring without data pages take records",
            (*opened(), MapRing("ring", EVENT, 0), prctl(times=7), expect(ReadCount(EVENT), 7)),
        ),
        *(
            Clause(
                f"RB-07.{field.name}",
                "a sample carries the fields that were asked for",
                (
                    CreateKprobe("probe", PRCTL),
                    OpenEvent("event", PROBE, sample_type=field),
                    MapRing("ring", EVENT),
                    prctl(times=2),
                    expect(ReadRing(RING), records(2)),
                    expect(ReadCount(EVENT), 2),
                ),
            )
            for field in SampleType
            if field.name
        ),
        Clause(
            "RB-07.all",
            "all of them at once",
            (
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE, sample_type=SampleType(sum(SampleType))),
                MapRing("ring", EVENT),
                prctl(times=2),
                expect(ReadRing(RING), records(2)),
            ),
        ),
        Clause(
            "RB-09",
            "the payload of an entry probe names the event and the probed address",
            (*opened(), MapRing("ring", EVENT), prctl(), expect(ReadRing(RING), records(1))),
        ),
        Clause(
            "RB-10",
            "that of a return probe the event and the function",
            (
                CreateKprobe("probe", PRCTL, returns=True),
                OpenEvent("event", PROBE),
                MapRing("ring", EVENT),
                prctl(),
                expect(ReadRing(RING), records(1)),
            ),
        ),
        Clause(
            "RB-14.own",
            "each perf event of a trace event has its own ring and count",
            (
                *opened(),
                second_event(),
                MapRing("ring", EVENT),
                MapRing("other", SPARE),
                Disable(SPARE),
                prctl(times=2),
                Enable(SPARE),
                prctl(times=3),
                expect(ReadRing(RING), records(5)),
                expect(ReadRing(Ref("other")), records(3)),
                expect(ReadCount(SPARE), 3),
            ),
        ),
        Clause(
            "RB-15",
            "records stay readable after the descriptor is closed",
            (
                *opened(),
                MapRing("ring", EVENT),
                prctl(times=2),
                Close(EVENT),
                prctl(),
                expect(ReadRing(RING), records(3)),
            ),
        ),
        Clause(
            "RB-15.unmap",
            "the descriptor works on when the ring is gone",
            (*opened(), MapRing("ring", EVENT), prctl(), expect(Unmap(RING), 0), prctl(), expect(ReadCount(EVENT), 2)),
        ),
        Clause(
            "PEO-16",
            "the count is of hits since the event was opened",
            (
                *opened(),
                expect(ReadCount(EVENT), 0),
                prctl(times=5),
                expect(ReadCount(EVENT), 5),
                Disable(EVENT),
                prctl(),
                expect(ReadCount(EVENT), 5),
                Enable(EVENT),
                prctl(),
                expect(ReadCount(EVENT), 6),
            ),
        ),
        Clause(
            "PEO-17",
            "without a sample period hits are counted, not recorded",
            (
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE, sample_period=0),
                MapRing("ring", EVENT),
                prctl(times=4),
                expect(ReadRing(RING), records(0)),
                expect(ReadCount(EVENT), 4),
            ),
        ),
        Clause(
            "PEO-16.file",
            "a count cannot be read of what is no event",
            (OpenFile("file"), array("map"), expect(ReadCount(Ref("map")), "EINVAL"), expect(ReadCount(-1), "EBADF")),
        ),
        Clause(
            "PEO-15",
            "an event counts from its opening when it was not opened disabled",
            (
                CreateKprobe("probe", PRCTL),
                expect(OpenEvent("event", PROBE), WORKS),
                prctl(),
                expect(ReadCount(EVENT), 1),
            ),
        ),
    )


def _event(returns: bool) -> tuple[CreateKprobe, OpenEvent, MapRing]:
    return CreateKprobe("probe", PRCTL, returns=returns), OpenEvent("event", PROBE), MapRing("ring", EVENT, 1)


def _wrap(returns: bool) -> Clause:
    """After two thirds of the ring were read, two thirds more go over its end."""
    part = PAGE * 2 // 3 // SAMPLE_SIZES[returns]
    return Clause(
        f"RB-05.{'return' if returns else 'entry'}",
        "records go on at the beginning of the ring when they reach its end",
        (
            *_event(returns),
            prctl(times=part),
            expect(ReadRing(RING), records(part)),
            prctl(times=part),
            expect(ReadRing(RING), records(part)),
        ),
    )


def _overflow(returns: bool) -> Clause:
    """A ring of one page: the head never reaches the tail, so a record that would fill it exactly is lost, too."""
    room = (PAGE - 1) // SAMPLE_SIZES[returns]
    return Clause(
        f"RB-06.{'return' if returns else 'entry'}",
        "what does not fit is counted, and told of before the next record that fits",
        (
            *_event(returns),
            prctl(times=room + 10),
            expect(ReadRing(RING), records(room)),
            prctl(),
            expect(ReadRing(RING), records(2)),
            expect(ReadCount(EVENT), room + 11),
        ),
    )
