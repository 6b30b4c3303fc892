# SPDX-License-Identifier: MIT
"""Maps of type STACK_TRACE, since 4.6, and the helpers that follow the calls to a probe; kernel/bpf/stackmap.c.

Which number a call chain gets is a hash of kernel addresses; where there is one bucket, it is 0.
"""

from __future__ import annotations

import errno
from itertools import chain

from harness.abi.bpf import F_FAST_STACK_CMP, F_REUSE_STACKID, F_SKIP_FIELD_MASK
from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP, NOT_SUPPORTED, SPARE, absent_in_4_1
from harness.clauses.results import attached, keep, results_are
from harness.core_scripts.parts import array, prctl, u32
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R9,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    jeq_reg,
    ld_imm64,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    rsh64_imm,
    st,
)
from harness.script.clause import NOTHING, WORKS, Clause, Said, Step, expect
from harness.script.operations import (
    Attach,
    CreateKprobe,
    CreateMap,
    DeleteElement,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapPages,
    MapType,
    OpenEvent,
    Operation,
    Program,
    ProgramType,
    Ref,
    Trigger,
    UpdateElement,
)
from harness.script.outcome import Addresses

DEPTH = 20
SIZE = 8 * DEPTH
ONE = CreateMap("map", MapType.STACK_TRACE, 4, SIZE, 1)
"""A map of one bucket."""
EEXIST, EFAULT, EINVAL, ENOMEM = -errno.EEXIST, -errno.EFAULT, -errno.EINVAL, -errno.ENOMEM
OTHER = "write_null"
OUR_LENGTH = 4242
WRITE = Trigger(OTHER, (0, OUR_LENGTH))


def clauses(layout: PtRegs) -> tuple[Clause, ...]:
    return tuple(chain(_before(), _map(), _numbers(layout), _stacks(layout), _verifier()))


def _clause(id: str, sentence: str, *steps: Operation | Step) -> Clause:
    return Clause(id, sentence, steps, since="5.10")


def _before() -> tuple[Clause, ...]:
    sentence = "A STACK_TRACE map gives EINVAL in 4.1, which does not have the type"
    return absent_in_4_1("STK", ONE, Helper.GET_STACKID, sentence)


def _map() -> tuple[Clause, ...]:
    rows: tuple[tuple[str, str, tuple[int, int, int, int], Said], ...] = (
        (
            "STK-03",
            "A STACK_TRACE map has keys of four bytes, and eight bytes for each address of a value",
            (4, 8, 1, 0),
            WORKS,
        ),
        ("STK-03.key", "A STACK_TRACE map with keys of eight bytes gives EINVAL", (8, 64, 1, 0), "EINVAL"),
        ("STK-03.none", "A STACK_TRACE map with values of size 0 gives EINVAL", (4, 0, 1, 0), "EINVAL"),
        ("STK-03.half", "A STACK_TRACE map with values of four bytes gives EINVAL", (4, 4, 1, 0), "EINVAL"),
        ("STK-03.odd", "A STACK_TRACE map with values of twelve bytes gives EINVAL", (4, 12, 1, 0), "EINVAL"),
        (
            "STK-03.deepest",
            "A STACK_TRACE map may have room for 127 addresses, as kernel.perf_event_max_stack says",
            (4, 1016, 1, 0),
            WORKS,
        ),
        ("STK-03.deeper", "A STACK_TRACE map with room for 128 addresses gives EINVAL", (4, 1024, 1, 0), "EINVAL"),
        ("STK-03.entries", "A STACK_TRACE map of 0 elements gives EINVAL", (4, 64, 0, 0), "EINVAL"),
        ("STK-03.prealloc", "A STACK_TRACE map with BPF_F_NO_PREALLOC gives EINVAL", (4, 64, 1, 1), "EINVAL"),
    )
    return (
        *(
            Clause(id, sentence, (expect(CreateMap("map", MapType.STACK_TRACE, *sizes), said),), NOTHING, "5.10")
            for id, sentence, sizes, said in rows
        ),
        Clause(
            "STK-04",
            "A new STACK_TRACE map is empty, and has a power of two of buckets",
            (
                CreateMap("map", MapType.STACK_TRACE, 4, SIZE, 3),
                expect(LookupElement(MAP, u32(0), SIZE), "ENOENT"),
                expect(LookupElement(MAP, u32(4), SIZE), "ENOENT"),
                expect(DeleteElement(MAP, u32(3)), "ENOENT"),
                expect(DeleteElement(MAP, u32(4)), "E2BIG"),
                expect(GetNextKey(MAP, None, 4), "ENOENT"),
                expect(GetNextKey(MAP, u32(9), 4), "ENOENT"),
            ),
            NOTHING,
            "5.10",
        ),
        Clause(
            "STK-05",
            "BPF_MAP_UPDATE_ELEM on a STACK_TRACE map gives EINVAL, and mmap(2) ENOTSUPP",
            (
                ONE,
                *(expect(UpdateElement(MAP, u32(0), bytes(SIZE), flags), "EINVAL") for flags in range(3)),
                expect(UpdateElement(MAP, None, bytes(SIZE)), "EFAULT"),
                expect(MapPages(MAP, 0, 1), NOT_SUPPORTED),
            ),
            NOTHING,
            "5.10",
        ),
    )


def _number(flags: int = 0) -> Piece:
    return (mov64_reg(R1, R6), ld_map(R2, "map"), ld_imm64(R3, flags), call(Helper.GET_STACKID))


def _numbers(layout: PtRegs) -> tuple[Clause, ...]:
    refused = (1 << 11, 1 << 12, 1 << 32)
    many = CreateMap("map", MapType.STACK_TRACE, 4, SIZE, 64)
    same = (
        _number(),
        mov64_reg(R9, R0),
        _number(F_FAST_STACK_CMP),
        jeq_reg(R0, R9, "same"),
        mov64_imm(R0, 1),
        keep(0),
        "same",
    )
    return (
        _clause(
            "STK-10",
            "bpf_get_stackid stores the call chain under the number it returns: kernel addresses, then zeros",
            ONE,
            *attached(layout, _number(), keep(0)),
            prctl(),
            *results_are(0),
            expect(GetNextKey(MAP, None, 4), u32(0)),
            expect(GetNextKey(MAP, u32(0), 4), "ENOENT"),
            expect(LookupElement(MAP, u32(0), SIZE), Addresses(SIZE)),
            expect(LookupElement(MAP, u32(1), SIZE), "ENOENT"),
        ),
        _clause(
            "STK-11",
            "bpf_get_stackid returns the same number for the same call chain",
            many,
            *attached(layout, mov64_imm(R0, 0), keep(0), same, rsh64_imm(R9, 6), mov64_reg(R0, R9), keep(1)),
            prctl(),
            *results_are(0, 0),
            prctl(times=2),
            *results_are(0, 0),
        ),
        _clause(
            "STK-12",
            "bpf_get_stackid returns -EINVAL for flags that mean nothing, and stores no chain",
            ONE,
            *attached(layout, *(piece for at, one in enumerate(refused) for piece in (_number(one), keep(at)))),
            prctl(),
            *results_are(EINVAL, EINVAL, EINVAL),
            expect(GetNextKey(MAP, None, 4), "ENOENT"),
        ),
        _clause(
            "STK-13",
            "bpf_get_stackid returns -EFAULT if it is to skip more calls than there are",
            ONE,
            *attached(layout, _number(F_SKIP_FIELD_MASK), keep(0)),
            prctl(),
            *results_are(EFAULT),
        ),
        _clause(
            "STK-14",
            "bpf_get_stackid returns -EEXIST where another call chain has the place, and keeps that one",
            ONE,
            *attached(layout, _number(), keep(0)),
            CreateKprobe("other", OTHER),
            OpenEvent("spare", Ref("other")),
            expect(LoadProgram("second", ProgramType.KPROBE, _on_our_write(layout)), WORKS),
            expect(Attach(SPARE, Ref("second")), 0),
            prctl(),
            WRITE,
            *results_are(0, EEXIST, ENOMEM),
            expect(DeleteElement(MAP, u32(0)), 0),
            WRITE,
            *results_are(0, 0, 0),
            prctl(),
            *results_are(EEXIST),
            expect(DeleteElement(MAP, u32(0)), 0),
            expect(DeleteElement(MAP, u32(0)), "ENOENT"),
        ),
    )


def _on_our_write(layout: PtRegs) -> Program:
    """Stores the chain that leads to the script's own write(2), once in a slot of its own and once in place of
    another."""
    ours = (_number(), keep(1), _number(F_REUSE_STACKID), keep(2), mov64_imm(R0, 0), exit_())
    length = (mov64_reg(R6, R1), ldx(DW, R0, R6, layout.argument(2)))
    return program(length, jeq_imm(R0, OUR_LENGTH, "ours"), mov64_imm(R0, 0), exit_(), "ours", ours)


def _stack(size: int, flags: int = 0) -> Piece:
    """Calls bpf_get_stack() into the stack below R10, from -24 on, which is all ones before."""
    arguments = (mov64_reg(R1, R6), mov64_reg(R2, R10), add64_imm(R2, -24), mov64_imm(R3, size), mov64_imm(R4, flags))
    return (st(DW, R10, -24, -1), st(DW, R10, -16, -1), arguments, call(Helper.GET_STACK))


def _stacks(layout: PtRegs) -> tuple[Clause, ...]:
    first = ldx(DW, R0, R10, -24)

    def refused(id: str, sentence: str, said: int, piece: Piece) -> Clause:
        steps = attached(layout, piece, keep(0), first, keep(1))
        return _clause(id, sentence, *steps, prctl(), *results_are(said, 0))

    return (
        _clause(
            "STK-20",
            "bpf_get_stack writes as many kernel addresses of the call chain as fit, and returns how many bytes",
            *attached(layout, _stack(8), keep(0), first, rsh64_imm(R0, 63), keep(1)),
            prctl(),
            *results_are(8, 1),
        ),
        refused(
            "STK-21",
            "bpf_get_stack returns -EINVAL for flags that mean nothing, and clears the buffer",
            EINVAL,
            _stack(8, 1 << 9),
        ),
        refused(
            "STK-22",
            "bpf_get_stack returns -EINVAL for a buffer whose size is no multiple of eight, and clears it",
            EINVAL,
            _stack(12),
        ),
        refused(
            "STK-23",
            "bpf_get_stack returns -EFAULT if it is to skip more calls than there are, and clears the buffer",
            EFAULT,
            _stack(8, F_SKIP_FIELD_MASK),
        ),
    )


def _verifier() -> tuple[Clause, ...]:
    end = (mov64_imm(R0, 0), exit_())
    first = mov64_reg(R6, R1)

    def load(said: Said, *pieces: Piece, license: str = "GPL") -> Step:
        return expect(LoadProgram("program", ProgramType.KPROBE, program(*pieces), license), said)

    key = (st(DW, R10, -8, 0), ld_map(R1, "map"), mov64_reg(R2, R10), add64_imm(R2, -8))
    return (
        _clause(
            "STK-30",
            "A program that calls bpf_get_stackid and is not under the GPL gives EINVAL",
            ONE,
            load("EINVAL", first, _number(), end, license="MIT"),
        ),
        _clause(
            "STK-30.memory",
            "A program that calls bpf_get_stack and is not under the GPL gives EINVAL",
            load("EINVAL", first, _stack(8), end, license="MIT"),
        ),
        _clause(
            "STK-31",
            "A program that hands bpf_get_stackid something else than its context gives EACCES",
            ONE,
            load("EACCES", mov64_imm(R6, 0), _number(), end),
        ),
        _clause(
            "STK-32",
            "A program that calls bpf_get_stackid with an array gives EINVAL",
            array("map"),
            load("EINVAL", first, _number(), end),
        ),
        _clause(
            "STK-33",
            "A program that looks up or deletes elements of a STACK_TRACE map gives EINVAL",
            ONE,
            *(load("EINVAL", key, call(helper), end) for helper in (Helper.MAP_LOOKUP_ELEM, Helper.MAP_DELETE_ELEM)),
        ),
    )
