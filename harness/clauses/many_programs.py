# SPDX-License-Identifier: MIT
"""Programs that run inside others, and many programs on one probe."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import EVENT, PROBE, PROGRAM, hits_are, holds
from harness.core_scripts.parts import (
    PRCTL,
    array,
    count_hits,
    kprobe_program,
    on_our_prctl,
    prctl,
    probed,
    u32,
    u64,
)
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    ld_map,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.script.clause import WORKS, Clause, Step, expect
from harness.script.operations import (
    Attach,
    Close,
    CreateKprobe,
    CreateMap,
    MapType,
    OpenEvent,
    Operation,
    ReadCount,
    Ref,
    UpdateElement,
)

UPDATE = "htab_map_update_elem"
"""The function that updates a hash map, whether for a program or a system call: kernel/bpf/hashtab.c, since 3.19."""
CROWD = 32


def clauses(registers: PtRegs) -> tuple[Clause, ...]:
    return (*_nested(registers), *_many(registers))


def _nested(registers: PtRegs) -> tuple[Clause, ...]:
    """Returns clauses with a probe on the function that updates hash maps, and one on prctl(2) whose program calls
    it."""
    inner = (
        array("inner"),
        CreateMap("table", MapType.HASH, 4, 8, 4),
        kprobe_program("inside", program(count_hits("inner"), exit_())),
        expect(CreateKprobe("there", UPDATE), WORKS),
        expect(OpenEvent("nested", Ref("there")), WORKS),
        expect(Attach(Ref("nested"), Ref("inside")), 0),
    )
    outer = (array("hits"), *probed(on_our_prctl(registers, _update("table"), count_hits())))
    return (
        Clause(
            "RUN-53",
            "A probe that is hit by a program on another probe is missed: no program runs there, and nothing "
            "is counted",
            (
                *inner,
                *outer,
                prctl(times=5),
                hits_are(5),
                holds("inner", 0),
                expect(ReadCount(Ref("nested")), 0),
                holds("table", 1, key=7),
            ),
        ),
        Clause(
            "RUN-52",
            "A probe on the function that updates hash maps is hit when a system call does so in 4.1; later "
            "kernels hold programs off meanwhile and drop the hit",
            (
                *inner,
                expect(UpdateElement(Ref("table"), u32(1), u64(1)), 0),
                expect(UpdateElement(Ref("table"), u32(1), u64(2)), 0),
                holds("inner", 2, {"5.10": 0}),
                expect(ReadCount(Ref("nested")), 2, {"5.10": 0}),
                expect(Close(Ref("nested")), 0),
                expect(UpdateElement(Ref("table"), u32(1), u64(3)), 0),
                holds("inner", 2, {"5.10": 0}),
            ),
        ),
    )


def _many(registers: PtRegs) -> tuple[Clause, ...]:
    counting = kprobe_program("program", on_our_prctl(registers, count_hits()))
    return (
        Clause(
            "RUN-46.crowd",
            f"A trace event with {CROWD} perf events runs its program once a hit, and every one of them counts it",
            (
                array("hits"),
                *probed(on_our_prctl(registers, count_hits())),
                *(OpenEvent(f"event {number}", PROBE) for number in range(CROWD)),
                prctl(times=3),
                hits_are(3),
                *(expect(ReadCount(Ref(f"event {number}")), 3) for number in range(CROWD)),
                expect(ReadCount(EVENT), 3),
            ),
        ),
        Clause(
            "ATTACH-13.crowd",
            f"A program that is attached to {CROWD} probes on one function runs once for each of them",
            (
                array("hits"),
                counting,
                *(step for number in range(CROWD) for step in _attached(number)),
                prctl(times=3),
                hits_are(3 * CROWD),
                *(expect(Close(Ref(f"event {number}")), 0) for number in range(CROWD // 2)),
                prctl(),
                hits_are(3 * CROWD + CROWD // 2),
            ),
        ),
        Clause(
            "ATTACH-12.crowd",
            "Each of 64 programs on one trace event runs once a hit, and the hit is kept only if all of them return 1",
            (
                array("hits"),
                counting,
                CreateKprobe("probe", PRCTL),
                *(step for number in range(63) for step in _another(registers, number)),
                prctl(times=2),
                hits_are(2 * 63),
                expect(ReadCount(Ref("event 0")), 2),
                *_another(registers, 63, verdict=0),
                prctl(),
                hits_are(2 * 63 + 64),
                expect(ReadCount(Ref("event 0")), 2),
            ),
            since="5.10",
        ),
    )


def _attached(number: int) -> tuple[Operation | Step, ...]:
    """Adds a probe, with an event that has the program."""
    probe, event = Ref(f"probe_{number}"), Ref(f"event {number}")
    return CreateKprobe(probe.name, PRCTL), OpenEvent(event.name, probe), expect(Attach(event, PROGRAM), 0)


def _another(registers: PtRegs, number: int, verdict: int = 1) -> tuple[Operation | Step, ...]:
    """Adds an event of the same probe, with a program of its own."""
    event, name = Ref(f"event {number}"), f"program {number}"
    return (
        kprobe_program(name, on_our_prctl(registers, count_hits(verdict=verdict))),
        OpenEvent(event.name, PROBE),
        expect(Attach(event, Ref(name)), 0),
    )


def _update(table: str) -> tuple[Piece, ...]:
    """Stores 1 under the key 7."""
    return (
        st(W, R10, -4, 7),
        st(DW, R10, -16, 1),
        ld_map(R1, table),
        mov64_reg(R2, R10),
        add64_imm(R2, -4),
        mov64_reg(R3, R10),
        add64_imm(R3, -16),
        mov64_imm(R4, 0),
        call(Helper.MAP_UPDATE_ELEM),
        mov64_imm(R0, 0),
    )
