# SPDX-License-Identifier: MIT
"""Events and programs that are opened, attached and closed while a probe is hit."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.concurrency.parts import MANY, between, clause, reset, together
from harness.clauses.parts import EVENT, PROBE, PROGRAM, SPARE, hits_are
from harness.core_scripts.parts import (
    PRCTL,
    array,
    count_hits,
    kprobe_program,
    on_our_prctl,
    prctl,
)
from harness.script.clause import WORKS, Clause, expect
from harness.script.expectation import Expectation
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    Disable,
    Enable,
    OpenEvent,
    ReadCount,
    Ref,
)


def attaching_clauses(registers: PtRegs) -> tuple[Clause, ...]:
    opened = (
        array("hits"),
        kprobe_program("program", on_our_prctl(registers, count_hits())),
        CreateKprobe("probe", PRCTL),
        OpenEvent("event", PROBE, pid=-1, cpu=0),
    )
    fires = [prctl(times=MANY)]
    return (
        clause(
            "RUN-57.meanwhile",
            "A program that is attached while its probe is hit runs for every hit from then on",
            *opened,
            together(fires, [expect(Attach(EVENT, PROGRAM), 0)]),
            between(0, MANY),
            reset(),
            prctl(times=3),
            hits_are(3),
        ),
        clause(
            "ATTACH-12.meanwhile",
            "One of two threads that attach a program to the same event at the same time succeeds, and the "
            "program runs once a hit",
            *opened,
            together([Attach(EVENT, PROGRAM)], [Attach(EVENT, PROGRAM)]),
            prctl(times=3),
            hits_are(3),
            expect(Attach(EVENT, PROGRAM), "EEXIST"),
        ),
        clause(
            "RUN-57.open",
            "A perf event may be opened and get a program while another trace event on the same function is hit",
            *opened,
            expect(Attach(EVENT, PROGRAM), 0),
            CreateKprobe("other", PRCTL),
            together(
                fires,
                [expect(OpenEvent("spare", Ref("other")), WORKS), expect(Attach(SPARE, PROGRAM), 0)],
            ),
            between(MANY, 2 * MANY),
            reset(),
            prctl(times=3),
            hits_are(6),
        ),
        clause(
            "DET-12",
            "A program that is detached while its probe is hit does not run for any hit after close(2) has returned",
            *opened,
            expect(Attach(EVENT, PROGRAM), 0),
            together(fires, [expect(Close(EVENT), 0)]),
            between(0, MANY),
            reset(),
            prctl(times=3),
            hits_are(0),
        ),
        clause(
            "DET-12.again",
            "A program may be detached and attached again while its probe is hit",
            *opened,
            together(
                fires,
                [
                    expect(Attach(EVENT, PROGRAM), 0),
                    expect(Close(EVENT), 0),
                    expect(OpenEvent("spare", PROBE), WORKS),
                    expect(Attach(SPARE, PROGRAM), 0),
                    expect(Close(SPARE), 0),
                ],
            ),
            between(0, MANY),
            reset(),
            prctl(times=3),
            hits_are(0),
        ),
        clause(
            "RUN-44.meanwhile",
            "Disabling a perf event while its probe is hit changes its count, not how often the program runs",
            *opened,
            expect(Attach(EVENT, PROGRAM), 0),
            together(fires, [expect(Disable(EVENT), 0), expect(Enable(EVENT), 0)]),
            hits_are(MANY),
            expect(ReadCount(EVENT), Expectation(value=range(MANY + 1))),
        ),
    )
