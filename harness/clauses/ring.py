# SPDX-License-Identifier: MIT
"""The ring buffer and the count: the traces of a hit; kernel/events/ring_buffer.c, core.c."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, RING, SPARE, opened, second_event
from harness.core_scripts.parts import PRCTL, array, prctl
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
"""The bytes of a sample with TID, CPU and RAW, of an entry and of a return probe."""


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    return (
        *(
            Clause(
                f"RB-01.{pages}",
                f"A perf event {'cannot' if said else 'can'} be mapped with {pages} data page{'s' * (pages != 1)}"
                f"{', which is no power of two: EINVAL' if said else ''}",
                (*opened(), expect(MapRing("ring", EVENT, pages), said)),
            )
            for pages, said in ((0, 0), (1, 0), (2, 0), (3, "EINVAL"), (4, 0), (6, "EINVAL"), (64, 0))
        ),
        Clause(
            "RB-01.twice",
            "A perf event can be mapped a second time at the same size; at another size mmap(2) gives EINVAL",
            (
                *opened(),
                MapRing("ring", EVENT, 2),
                expect(MapRing("again", EVENT, 2), 0),
                expect(MapRing("larger", EVENT, 4), "EINVAL"),
            ),
        ),
        Clause(
            "RB-01.map",
            "Mapping a BPF array that is not made for it gives ENODEV in 4.1, which maps no map, and EINVAL "
            "in later kernels",
            (array("map"), expect(MapRing("ring", Ref("map")), "ENODEV", {"5.10": "EINVAL"})),
        ),
        Clause(
            "RB-01.closed", "Mapping a descriptor that is not open gives EBADF", (expect(MapRing("ring", -1), "EBADF"),)
        ),
        Clause(
            "RB-04",
            "A record that was read from the ring is not read again",
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
            "A perf event without a ring counts hits, and their records are gone",
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
            "A perf event whose ring has no data pages counts hits and records none",
            (*opened(), MapRing("ring", EVENT, 0), prctl(times=7), expect(ReadCount(EVENT), 7)),
        ),
        *(
            Clause(
                f"RB-07.{field.name}",
                f"A sample carries PERF_SAMPLE_{field.name} if the event asks for it",
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
            "A sample carries all fields together if all are asked for",
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
            "The raw payload of a sample of an entry probe has the trace event's id and the probed address",
            (*opened(), MapRing("ring", EVENT), prctl(), expect(ReadRing(RING), records(1))),
        ),
        Clause(
            "RB-10",
            "The raw payload of a sample of a return probe has the trace event's id, the function, and where "
            "it returned to",
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
            "Each perf event of a trace event has a ring and a count of its own",
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
            "Records can be read and go on to come after the event's descriptor is closed while its ring is mapped",
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
            "A perf event goes on to count when its ring is unmapped",
            (*opened(), MapRing("ring", EVENT), prctl(), expect(Unmap(RING), 0), prctl(), expect(ReadCount(EVENT), 2)),
        ),
        Clause(
            "PEO-16",
            "read(2) of a perf event returns its hits since it was opened, without those while it was disabled",
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
            "A perf event with a sample period of 0 counts hits and records none",
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
            "read(2) of a map gives EINVAL, and of a descriptor that is not open EBADF",
            (OpenFile("file"), array("map"), expect(ReadCount(Ref("map")), "EINVAL"), expect(ReadCount(-1), "EBADF")),
        ),
        Clause(
            "PEO-15",
            "A perf event that is not opened disabled counts from its opening",
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
    """Makes a clause: after two thirds of the ring were read, two thirds more wrap around its end."""
    part = PAGE * 2 // 3 // SAMPLE_SIZES[returns]
    return Clause(
        f"RB-05.{'return' if returns else 'entry'}",
        f"Records of {'a return' if returns else 'an entry'} probe go on at the beginning of the ring when they "
        "reach its end",
        (
            *_event(returns),
            prctl(times=part),
            expect(ReadRing(RING), records(part)),
            prctl(times=part),
            expect(ReadRing(RING), records(part)),
        ),
    )


def _overflow(returns: bool) -> Clause:
    """Makes a clause with a ring of one page: the head never reaches the tail, so a record that would fill it exactly
    is lost, too."""
    room = (PAGE - 1) // SAMPLE_SIZES[returns]
    return Clause(
        f"RB-06.{'return' if returns else 'entry'}",
        f"Records of {'a return' if returns else 'an entry'} probe that do not fit into the ring are lost; a "
        "record tells how many "
        "before the next one that fits",
        (
            *_event(returns),
            prctl(times=room + 10),
            expect(ReadRing(RING), records(room)),
            prctl(),
            expect(ReadRing(RING), records(2)),
            expect(ReadCount(EVENT), room + 11),
        ),
    )
