# SPDX-License-Identifier: MIT
"""Hits of a probe: when programs run, and what their verdicts do."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, PROGRAM, RING, SPARE, hits_are, opened, second_event
from harness.core_scripts.parts import PRCTL, array, count_hits, element, kprobe_program, on_our_prctl, prctl, probed
from harness.isa.assemble import DW, R0, R1, R6, R7, Piece, W, exit_, ld_imm64, ldx, mov64_imm, mov64_reg, program, stx
from harness.script.clause import Clause, Said, expect, records
from harness.script.operations import (
    Attach,
    CreateKprobe,
    Disable,
    Enable,
    MapRing,
    OpenEvent,
    Program,
    ReadCount,
    ReadRing,
    Ref,
)
from harness.script.operations import SampleType as Fields


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    dropping = (array("hits"), *probed(on_our_prctl(registers, count_hits(verdict=0))))
    return (
        *_verdicts(registers),
        Clause(
            "RUN-43",
            "A program runs for the hits of every task on every CPU, whatever task its perf event is for",
            (
                array("hits"),
                kprobe_program("program", on_our_prctl(registers, count_hits())),
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE, pid=1),
                Attach(EVENT, PROGRAM),
                prctl(times=3),
                hits_are(3),
                expect(ReadCount(EVENT), 0),
            ),
        ),
        Clause(
            "RUN-44.ioctl",
            "A program goes on to run when its event is disabled; the event's records and count stop",
            (*counted, Disable(EVENT), prctl(times=2), hits_are(2), expect(ReadCount(EVENT), 0)),
        ),
        Clause(
            "RUN-44.from-the-start",
            "A program on an event that was opened disabled runs; the event counts from when it is enabled",
            (
                array("hits"),
                kprobe_program("program", on_our_prctl(registers, count_hits())),
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE, disabled=True),
                Attach(EVENT, PROGRAM),
                prctl(),
                hits_are(1),
                expect(ReadCount(EVENT), 0),
                expect(Enable(EVENT), 0),
                prctl(),
                hits_are(2),
                expect(ReadCount(EVENT), 1),
            ),
        ),
        Clause(
            "RUN-46",
            "A program that returns 0 runs once a hit, however many perf events the trace event has, and drops the hit "
            "for all of them",
            (
                *dropping,
                second_event(),
                prctl(times=4),
                hits_are(4),
                expect(ReadCount(EVENT), 0),
                expect(ReadCount(SPARE), 0),
            ),
        ),
        Clause(
            "RUN-46.kept",
            "A hit that the program keeps counts on every perf event of the trace event",
            (*counted, second_event(), prctl(times=4), expect(ReadCount(EVENT), 4), expect(ReadCount(SPARE), 4)),
        ),
        Clause(
            "RUN-46.several",
            "Each of several programs on a trace event runs once a hit, and the hit is kept only if all of "
            "them return 1",
            (
                *dropping,
                kprobe_program("other", on_our_prctl(registers, count_hits())),
                second_event(),
                expect(Attach(SPARE, Ref("other")), 0),
                prctl(times=4),
                hits_are(8),
                expect(ReadCount(EVENT), 0),
                expect(ReadCount(SPARE), 0),
            ),
            since="5.10",
        ),
        Clause(
            "RUN-57",
            "Hits are recorded and counted until a program is attached that drops them",
            (
                *opened(),
                MapRing("ring", EVENT),
                prctl(times=2),
                kprobe_program("program", program(mov64_imm(R0, 0), exit_())),
                Attach(EVENT, PROGRAM),
                prctl(times=3),
                expect(ReadRing(RING), records(2)),
                expect(ReadCount(EVENT), 2),
            ),
        ),
        Clause(
            "RUN-55",
            "A program on a return probe reads from its context what the function returned",
            (
                array("hits"),
                *probed(_keeps(ldx(W, R7, R6, registers.offsets[registers.returns])), returns=True),
                prctl(),
                hits_are((1 << 32) - 38),
            ),
        ),
        Clause(
            "RUN-45",
            "A perf event for another task counts none of the caller's hits; one for the caller counts them all",
            (
                CreateKprobe("probe", PRCTL),
                OpenEvent("event", PROBE, pid=1, sample_type=Fields.TID),
                second_event(),
                prctl(times=5),
                expect(ReadCount(EVENT), 0),
                expect(ReadCount(SPARE), 5),
            ),
        ),
    )


def _verdicts(registers: PtRegs) -> tuple[Clause, ...]:
    """Returns RUN-40 to RUN-42: the verdicts that keep a hit, by its records and its count."""
    rows: tuple[tuple[str, str, int, bool, bool], ...] = (
        ("RUN-40", "A program that returns 0 drops the hit: no record, no count", 0, False, False),
        ("RUN-41.1", "A program that returns 1 keeps the hit", 1, True, True),
        (
            "RUN-41.2",
            "A program that returns 2 keeps the hit in 4.1, where any value but 0 does; in later "
            "kernels only bit 0 counts",
            2,
            True,
            False,
        ),
        ("RUN-41.3", "A program that returns 3 keeps the hit", 3, True, True),
        (
            "RUN-41.bit-31",
            "A program that returns 1 << 31 keeps the hit in 4.1; in later kernels only bit 0 counts",
            0x80000000,
            True,
            False,
        ),
        ("RUN-41.all", "A program that returns -1 keeps the hit", (1 << 64) - 1, True, True),
        ("RUN-42", "A program that returns 1 << 32 drops the hit: only the low 32 bits count", 1 << 32, False, False),
        (
            "RUN-42.and-1",
            "A program that returns (1 << 32) + 1 keeps the hit: only the low 32 bits count",
            (1 << 32) + 1,
            True,
            True,
        ),
    )
    return tuple(
        Clause(
            id,
            sentence,
            (
                *probed(on_our_prctl(registers, ld_imm64(R0, verdict))),
                MapRing("ring", EVENT),
                prctl(times=3),
                expect(ReadRing(RING), records(3 * first), {"5.10": records(3 * later)}),
                expect(ReadCount(EVENT), 3 * first, _row(3 * later)),
            ),
        )
        for id, sentence, verdict, first, later in rows
    )


def _row(count: int) -> dict[str, Said]:
    return {"5.10": count}


def _keeps(load: Piece) -> Program:
    """Stores R7 after `load`, for any caller."""
    return program(mov64_reg(R6, R1), load, element("hits"), stx(DW, R0, 0, R7), mov64_imm(R0, 0), exit_())
