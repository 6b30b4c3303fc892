# SPDX-License-Identifier: MIT
"""perf_event_open(2) on the trace event of a kprobe: its refusals, their order, and their side effects."""

from __future__ import annotations

from harness.abi import perf
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, hits_are
from harness.core_scripts.parts import PRCTL, array, count_hits, kprobe_program, on_our_prctl, prctl, probed
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.operations import (
    Attach,
    CreateKprobe,
    Ioctl,
    OpenEvent,
    OpenFile,
    Operation,
    Part,
    RawOpenEvent,
    ReadCount,
    Ref,
    RemoveKprobe,
)

TYPE, SIZE = Part(0, 4, perf.TYPE_TRACEPOINT), Part(4, 4, perf.ATTR.size)
CONFIG, PERIOD = Part(8, 8, PROBE), Part(16, 8, 1)
NO_TYPE = 0x7FFF0000
MISSING = 1 << 30
"""A number that no process has."""
UNKNOWN_REQUEST = 0x5055


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    made = (CreateKprobe("probe", PRCTL),)
    return (
        *(Clause(id, sentence, (*made, expect(event, said, later))) for id, sentence, event, said, later in _ROWS),
        Clause(
            "PEO-05.zero",
            "An event on the trace event with id 0, which does not exist, gives EINVAL",
            (expect(OpenEvent("event", 0), "EINVAL"),),
            NOTHING,
        ),
        Clause(
            "PEO-05.large",
            "An event on the trace event with id 1 << 40, which does not exist, gives EINVAL",
            (expect(OpenEvent("event", 1 << 40), "EINVAL"),),
            NOTHING,
        ),
        Clause(
            "PEO-05.removed",
            "An event on a trace event that was removed gives EINVAL",
            (*made, RemoveKprobe(PROBE), expect(OpenEvent("event", PROBE), "EINVAL")),
        ),
        Clause(
            "PEO-18",
            "An event with exclude_kernel counts no hit of a kprobe, and the program attached to it runs all the same",
            (
                array("hits"),
                kprobe_program("program", on_our_prctl(registers, count_hits())),
                *made,
                expect(_event(Part(40, 8, perf.EXCLUDE_KERNEL)), WORKS),
                expect(Attach(EVENT, Ref("program")), 0),
                prctl(times=3),
                hits_are(3),
                expect(ReadCount(EVENT), 0),
            ),
        ),
        Clause(
            "DET-03.clock",
            "An event with an unknown clock gives EINVAL, and detaches the program of the trace event in 4.1; "
            "later kernels keep it",
            (
                *counted,
                prctl(),
                expect(_event(Part(40, 8, perf.USE_CLOCKID), Part(92, 4, 99), name="spare"), "EINVAL"),
                prctl(times=2),
                hits_are(1, {"5.10": 3}),
            ),
        ),
        *(
            Clause(
                f"DET-04.{what}",
                f"An event that cannot be opened because of its {what} ({errno}) leaves the program of the trace "
                "event attached",
                (*counted, prctl(), expect(_event(*parts, name="spare"), errno), prctl(times=2), hits_are(3)),
            )
            for what, parts, errno in (
                ("size", (Part(4, 4, 63),), "E2BIG"),
                ("type", (Part(0, 4, NO_TYPE),), "ENOENT"),
                ("frequency", (Part(16, 8, 1 << 40), Part(40, 8, perf.FREQUENCY)), "EINVAL"),
            )
        ),
        *(
            Clause(
                f"ATTACH-20.{what}",
                f"An unknown ioctl on {of} gives {said}",
                (*before, expect(Ioctl(descriptor, UNKNOWN_REQUEST), said)),
            )
            for what, of, before, descriptor, said in _IOCTLS
        ),
    )


def _event(*parts: Part, name: str = "event", **call: int) -> RawOpenEvent:
    """Opens an event on the probe, with some fields changed."""
    fields = {part.offset: part for part in (TYPE, SIZE, CONFIG, PERIOD, *parts)}
    return RawOpenEvent(name, tuple(fields.values()), **call)


_IOCTLS: tuple[tuple[str, str, tuple[Operation | Step, ...], Ref | int, str], ...] = (
    ("unknown", "a perf event", (CreateKprobe("probe", PRCTL), OpenEvent("event", PROBE)), EVENT, "ENOTTY"),
    ("unknown-map", "a map", (array("map"),), Ref("map"), "ENOTTY"),
    ("unknown-file", "a file", (OpenFile("file"),), Ref("file"), "ENOTTY"),
    ("unknown-closed", "a descriptor that is not open", (), -1, "EBADF"),
)

NO_ROWS: dict[str, Said] = {}

_ROWS: tuple[tuple[str, str, Operation, Said, dict[str, Said]], ...] = (
    (
        "PEO-01.flags",
        "perf_event_open(2) with flags 1 << 20, which mean nothing, gives EINVAL",
        _event(flags=1 << 20),
        "EINVAL",
        NO_ROWS,
    ),
    (
        "PEO-01.flags-first",
        "perf_event_open(2) looks at its flags before it reads the attribute: it gives EINVAL if both are wrong",
        _event(flags=1 << 20, length=0),
        "EINVAL",
        NO_ROWS,
    ),
    (
        "PEO-01.null",
        "perf_event_open(2) gives EFAULT if the attribute cannot be read",
        _event(length=0),
        "EFAULT",
        NO_ROWS,
    ),
    (
        "PEO-01.order",
        "perf_event_open(2) looks at the attribute's size before its type: it gives E2BIG if both are wrong",
        _event(Part(0, 4, NO_TYPE), Part(4, 4, 63)),
        "E2BIG",
        NO_ROWS,
    ),
    (
        "PEO-02",
        "An attribute of size 0 counts as one of 64 bytes, the first version",
        _event(Part(4, 4, 0)),
        WORKS,
        NO_ROWS,
    ),
    (
        "PEO-02.first",
        "An attribute of 64 bytes, the first version, opens an event",
        _event(Part(4, 4, 64)),
        WORKS,
        NO_ROWS,
    ),
    ("PEO-03", "An attribute of 112 bytes, 4.1's version, opens an event", _event(), WORKS, NO_ROWS),
    ("PEO-01.small", "An attribute of 63 bytes gives E2BIG", _event(Part(4, 4, 63)), "E2BIG", NO_ROWS),
    ("PEO-01.page", "An attribute larger than a page gives E2BIG", _event(Part(4, 4, 4097)), "E2BIG", NO_ROWS),
    (
        "PEO-01.reserved-flag",
        "An attribute with the last of its 64 flags gives EINVAL",
        _event(Part(40, 8, 1 << 63)),
        "EINVAL",
        NO_ROWS,
    ),
    (
        "PEO-01.reserved-sample",
        "An attribute that asks for a sample field that does not exist gives EINVAL",
        _event(Part(24, 8, 1 << 40)),
        "EINVAL",
        NO_ROWS,
    ),
    ("PEO-06", "An event of a type that does not exist gives ENOENT", _event(Part(0, 4, NO_TYPE)), "ENOENT", NO_ROWS),
    (
        "PEO-07",
        "An event for every task on every CPU gives EINVAL",
        OpenEvent("event", PROBE, pid=-1, cpu=-1),
        "EINVAL",
        NO_ROWS,
    ),
    (
        "PEO-08",
        "An event for every task on one CPU can be opened",
        OpenEvent("event", PROBE, pid=-1, cpu=0),
        WORKS,
        NO_ROWS,
    ),
    (
        "PEO-08.cpu",
        "An event on a CPU that does not exist gives EINVAL",
        OpenEvent("event", PROBE, pid=-1, cpu=4096),
        "EINVAL",
        NO_ROWS,
    ),
    (
        "PEO-09",
        "An event for a task that does not exist gives ESRCH",
        OpenEvent("event", PROBE, pid=MISSING),
        "ESRCH",
        NO_ROWS,
    ),
    ("PEO-09.cpu", "An event for one task on one CPU can be opened", OpenEvent("event", PROBE, cpu=0), WORKS, NO_ROWS),
    ("PEO-09.other", "An event for another task can be opened", OpenEvent("event", PROBE, pid=1), WORKS, NO_ROWS),
    (
        "PEO-11",
        "An event with a frequency above kernel.perf_event_max_sample_rate gives EINVAL",
        _event(Part(16, 8, 1 << 40), Part(40, 8, perf.FREQUENCY)),
        "EINVAL",
        NO_ROWS,
    ),
    (
        "PEO-12",
        "An event with a sample period of 1 << 63 gives EINVAL",
        OpenEvent("event", PROBE, sample_period=1 << 63),
        "EINVAL",
        NO_ROWS,
    ),
    (
        "PEO-12.most",
        "An event may have a sample period of (1 << 63) - 1",
        OpenEvent("event", PROBE, sample_period=(1 << 63) - 1),
        WORKS,
        NO_ROWS,
    ),
    (
        "PEO-13",
        "A trace event cannot sample branches: ENOTSUP",
        _event(Part(24, 8, perf.SAMPLE_BRANCH_STACK), Part(72, 8, 1 << 3)),
        "ENOTSUP",  # another name of EOPNOTSUPP, and the one observations use
        NO_ROWS,
    ),
    (
        "PEO-14",
        "An inherited event that samples its own count gives EINVAL, until 6.12",
        _event(Part(24, 8, perf.SAMPLE_READ), Part(40, 8, perf.INHERIT)),
        "EINVAL",
        NO_ROWS,
    ),
    (
        "PEO-01.group",
        "An event in a group whose leader's descriptor is not open gives EBADF",
        _event(group=1000),
        "EBADF",
        NO_ROWS,
    ),
)
