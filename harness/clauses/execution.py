"""What happens when a probed function is reached: when programs run, and what their verdicts do."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, PROGRAM, RING, SPARE, hits_are, opened, second_event
from harness.essentials.parts import PRCTL, array, count_hits, element, kprobe_program, on_our_prctl, prctl, probed
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
            "the program runs for every task and CPU, whatever task its perf event is for",
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
            "a program runs on when its event is disabled; only records and counts stop",
            (*counted, Disable(EVENT), prctl(times=2), hits_are(2), expect(ReadCount(EVENT), 0)),
        ),
        Clause(
            "RUN-44.from-the-start",
            "a program runs on an event that was never enabled",
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
            "one run a hit, however many perf events there are, and its verdict is for all of them",
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
            "a hit that is kept counts on all of them",
            (*counted, second_event(), prctl(times=4), expect(ReadCount(EVENT), 4), expect(ReadCount(SPARE), 4)),
        ),
        Clause(
            "RUN-46.several",
            "with several programs each runs once a hit, and all must want to keep it",
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
            "hits before the program is attached are kept",
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
            "a return probe's context has what the function returned",
            (
                array("hits"),
                *probed(_keeps(ldx(W, R7, R6, registers.offsets[registers.returns])), returns=True),
                prctl(),
                hits_are((1 << 32) - 38),
            ),
        ),
        Clause(
            "RUN-45",
            "a perf event of another task counts none of our hits, one of ours all",
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
    """RUN-40 to RUN-42: which verdicts keep a hit, by its records and its count."""
    rows: tuple[tuple[str, str, int, bool, bool], ...] = (
        ("RUN-40", "0 drops the hit", 0, False, False),
        ("RUN-41.1", "1 keeps it", 1, True, True),
        ("RUN-41.2", "2 keeps it in 4.1; later only bit 0 counts", 2, True, False),
        ("RUN-41.3", "3 keeps it", 3, True, True),
        ("RUN-41.bit-31", "only bit 31: kept in 4.1", 0x80000000, True, False),
        ("RUN-41.all", "-1 keeps it", (1 << 64) - 1, True, True),
        ("RUN-42", "bits above the 32nd do not count", 1 << 32, False, False),
        ("RUN-42.and-1", "nor do they harm", (1 << 32) + 1, True, True),
    )
    return tuple(
        Clause(
            id,
            f"verdicts: {sentence}",
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
    """Stores what `load` leaves in R7, for whoever calls."""
    return program(mov64_reg(R6, R1), load, element("hits"), stx(DW, R0, 0, R7), mov64_imm(R0, 0), exit_())
