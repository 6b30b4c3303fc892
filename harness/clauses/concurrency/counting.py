# SPDX-License-Identifier: MIT
"""Programs on two CPUs that count in one map."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.concurrency.parts import MANY, TWO_CPUS, between, clause, together
from harness.clauses.parts import hits_are, holds
from harness.core_scripts.parts import (
    array,
    count_hits,
    element,
    on_our_prctl,
    prctl,
    probed,
)
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R7,
    R8,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    jne_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    stx,
    xadd,
)
from harness.script.clause import WORKS, Clause, expect
from harness.script.needs import Need
from harness.script.operations import (
    Pin,
    Program,
    RunThreads,
    Thread,
    Trigger,
)

WRITTEN = 0x5A5A
"""Bytes that only the script's own programs write."""


def _increment() -> tuple[Piece, ...]:
    """Adds to the first element without atomicity, giving other CPUs time in between."""
    return (
        *element("hits"),
        mov64_reg(R7, R0),
        ldx(DW, R8, R7, 0),
        [call(Helper.KTIME_GET_NS)] * 15,
        add64_imm(R8, 1),
        stx(DW, R7, 0, R8),
        mov64_imm(R0, 1),
    )


def counting_clauses(registers: PtRegs) -> tuple[Clause, ...]:
    writes = Trigger("write_null", (0, WRITTEN), MANY)
    counted = (array("hits"), *probed(on_our_prctl(registers, count_hits())))
    by_cpu = (
        array("hits", entries=2),
        *probed(on_our_prctl(registers, _count_by_cpu())),
        prctl(times=3),
        together([prctl(times=MANY)], [prctl(times=MANY // 2)]),
        expect(Pin(1), 0),
        prctl(times=5),
        holds("hits", 3 + MANY),
        holds("hits", 5 + MANY // 2, key=1),
    )
    return (
        clause(
            "RUN-56",
            "A program that runs on two CPUs at the same time loses none of its atomic additions",
            *counted,
            together([prctl(times=MANY)], [prctl(times=MANY)]),
            hits_are(2 * MANY),
        ),
        clause(
            "RUN-56.four",
            "A program that four threads on two CPUs reach loses none of its atomic additions",
            *counted,
            expect(RunThreads(tuple(Thread(number % 2, (prctl(times=20),)) for number in range(4))), WORKS),
            hits_are(80),
        ),
        clause(
            "RUN-56.return",
            "A program on a return probe that is hit on two CPUs at the same time runs for every hit",
            array("hits"),
            *probed(_count_returns(registers), symbol="write_null", returns=True),
            together([writes], [writes]),
            hits_are(2 * MANY),
        ),
        clause(
            "RUN-56.not-atomic",
            "A program that runs on two CPUs at the same time may lose additions that are not atomic, but not all",
            array("hits"),
            *probed(on_our_prctl(registers, _increment())),
            together([prctl(times=MANY)], [prctl(times=MANY)]),
            between(2, 2 * MANY),
        ),
        clause(
            "RUN-56.not-atomic-one-cpu",
            "A program that two threads on one CPU reach loses no addition: no other thread interrupts it",
            array("hits"),
            *probed(on_our_prctl(registers, _increment())),
            expect(RunThreads(tuple(Thread(1, (prctl(times=MANY),)) for _ in range(2))), WORKS),
            hits_are(2 * MANY),
        ),
        clause(
            "H-07.where",
            "bpf_get_smp_processor_id returns the CPU that the program runs on",
            *by_cpu,
            since="5.10",
            until="6.12",
        ),
        # The interpreter of 7.2 for arm64 does not have the helper.
        Clause(
            "H-07.where-jit",
            "bpf_get_smp_processor_id returns the CPU that a translated program runs on",
            by_cpu,
            TWO_CPUS | {Need.JIT},
            since="7.2",
        ),
    )


def _count_returns(registers: PtRegs) -> Program:
    """Counts returns with the script's own value."""
    return program(
        ldx(DW, R0, R1, registers.offsets[registers.returns]),
        jeq_imm(R0, WRITTEN, 1),
        exit_(),
        count_hits(),
        exit_(),
    )


def _count_by_cpu() -> tuple[Piece, ...]:
    """Adds to the element of the CPU."""
    return (
        call(Helper.GET_SMP_PROCESSOR_ID),
        stx(W, R10, -4, R0),
        mov64_reg(R2, R10),
        add64_imm(R2, -4),
        ld_map(R1, "hits"),
        call(Helper.MAP_LOOKUP_ELEM),
        jne_imm(R0, 0, 1),
        exit_(),
        mov64_imm(R1, 1),
        xadd(DW, R0, 0, R1),
        mov64_imm(R0, 1),
    )
