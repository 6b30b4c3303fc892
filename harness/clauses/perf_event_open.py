"""perf_event_open(2) on the trace event of a kprobe: what it refuses, in which order, and what that costs others."""

from __future__ import annotations

from harness.abi import perf
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, hits_are
from harness.essentials.parts import PRCTL, array, count_hits, kprobe_program, on_our_prctl, prctl, probed
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
SAMPLE_READ, BRANCH_STACK, RESERVED_SAMPLE = 0x10, 0x800, 1 << 40
HARDWARE, NO_TYPE = 0, 0x7FFF0000
MISSING = 1 << 30
"""No process has this number."""
UNKNOWN_REQUEST = 0x5055


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    made = (CreateKprobe("probe", PRCTL),)
    return (
        *(Clause(id, sentence, (*made, expect(event, said, later))) for id, sentence, event, said, later in _ROWS),
        Clause("PEO-05.zero", "there is no trace event 0", (expect(OpenEvent("event", 0), "EINVAL"),), NOTHING),
        Clause("PEO-05.large", "nor one beyond 16 bits", (expect(OpenEvent("event", 1 << 40), "EINVAL"),), NOTHING),
        Clause(
            "PEO-05.removed",
            "nor one that was removed",
            (*made, RemoveKprobe(PROBE), expect(OpenEvent("event", PROBE), "EINVAL")),
        ),
        Clause(
            "PEO-18",
            "an event that leaves out the kernel counts nothing; a program on it runs",
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
            "an attempt that fails after the event was half made takes the program away; later kernels keep it",
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
                "an attempt that fails earlier leaves it alone",
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
                "an ioctl nobody knows",
                (*before, expect(Ioctl(descriptor, UNKNOWN_REQUEST), said)),
            )
            for what, before, descriptor, said in _IOCTLS
        ),
    )


def _event(*parts: Part, name: str = "event", **call: int) -> RawOpenEvent:
    """An event on the probe, with some fields changed."""
    fields = {part.offset: part for part in (TYPE, SIZE, CONFIG, PERIOD, *parts)}
    return RawOpenEvent(name, tuple(fields.values()), **call)


_IOCTLS: tuple[tuple[str, tuple[Operation | Step, ...], Ref | int, str], ...] = (
    ("unknown", (CreateKprobe("probe", PRCTL), OpenEvent("event", PROBE)), EVENT, "ENOTTY"),
    ("unknown-map", (array("map"),), Ref("map"), "ENOTTY"),
    ("unknown-file", (OpenFile("file"),), Ref("file"), "ENOTTY"),
    ("unknown-closed", (), -1, "EBADF"),
)

NO_ROWS: dict[str, Said] = {}

_ROWS: tuple[tuple[str, str, Operation, Said, dict[str, Said]], ...] = (
    ("PEO-01.flags", "flags nobody knows", _event(flags=1 << 20), "EINVAL", NO_ROWS),
    ("PEO-01.flags-first", "come before the attribute", _event(flags=1 << 20, length=0), "EINVAL", NO_ROWS),
    ("PEO-01.null", "the attribute must be there", _event(length=0), "EFAULT", NO_ROWS),
    ("PEO-01.order", "its size comes before its type", _event(Part(0, 4, NO_TYPE), Part(4, 4, 63)), "E2BIG", NO_ROWS),
    ("PEO-02", "size 0 means the first one", _event(Part(4, 4, 0)), WORKS, NO_ROWS),
    ("PEO-02.first", "the first one is 64", _event(Part(4, 4, 64)), WORKS, NO_ROWS),
    ("PEO-03", "4.1's is 112", _event(), WORKS, NO_ROWS),
    ("PEO-01.small", "less is too little", _event(Part(4, 4, 63)), "E2BIG", NO_ROWS),
    ("PEO-01.page", "more than a page is too much", _event(Part(4, 4, 4097)), "E2BIG", NO_ROWS),
    ("PEO-01.reserved-flag", "no attribute flag is the 64th", _event(Part(40, 8, 1 << 63)), "EINVAL", NO_ROWS),
    ("PEO-01.reserved-sample", "no sample field the 41st", _event(Part(24, 8, RESERVED_SAMPLE)), "EINVAL", NO_ROWS),
    ("PEO-06", "a type there is not", _event(Part(0, 4, NO_TYPE)), "ENOENT", NO_ROWS),
    (
        "PEO-07",
        "every task on every CPU is too much",
        OpenEvent("event", PROBE, pid=-1, cpu=-1),
        "EINVAL",
        NO_ROWS,
    ),
    ("PEO-08", "every task on one CPU", OpenEvent("event", PROBE, pid=-1, cpu=0), WORKS, NO_ROWS),
    ("PEO-08.cpu", "a CPU there is not", OpenEvent("event", PROBE, pid=-1, cpu=4096), "EINVAL", NO_ROWS),
    ("PEO-09", "a task there is not", OpenEvent("event", PROBE, pid=MISSING), "ESRCH", NO_ROWS),
    ("PEO-09.cpu", "one task on one CPU", OpenEvent("event", PROBE, cpu=0), WORKS, NO_ROWS),
    ("PEO-09.other", "another task", OpenEvent("event", PROBE, pid=1), WORKS, NO_ROWS),
    (
        "PEO-11",
        "a frequency beyond the limit",
        _event(Part(16, 8, 1 << 40), Part(40, 8, perf.FREQUENCY)),
        "EINVAL",
        NO_ROWS,
    ),
    ("PEO-12", "a period has 63 bits", OpenEvent("event", PROBE, sample_period=1 << 63), "EINVAL", NO_ROWS),
    ("PEO-12.most", "all 63 of them", OpenEvent("event", PROBE, sample_period=(1 << 63) - 1), WORKS, NO_ROWS),
    (
        "PEO-13",
        "there are no branches to sample",
        _event(Part(24, 8, BRANCH_STACK), Part(72, 8, 1 << 3)),
        "ENOTSUP",  # another name of EOPNOTSUPP, and the one observations use
        NO_ROWS,
    ),
    (
        "PEO-14",
        "counts of what is inherited cannot be sampled, until 6.12",
        _event(Part(24, 8, SAMPLE_READ), Part(40, 8, perf.INHERIT)),
        "EINVAL",
        NO_ROWS,
    ),
    ("PEO-01.group", "a group that is not there", _event(group=1000), "EBADF", NO_ROWS),
)
