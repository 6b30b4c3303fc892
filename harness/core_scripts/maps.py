# SPDX-License-Identifier: MIT
"""Maps accessed from both sides: system calls see what a program stores, and the other way round."""

from __future__ import annotations

from harness.abi.pt_regs import PtRegs
from harness.core_scripts.parts import MAGIC, array, count_hits, element, on_our_prctl, prctl, probed, read_u64, u64
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R8,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    jeq_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    stx,
)
from harness.script.clause import NOTHING as NO_NEEDS
from harness.script.clause import Clause, expect
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    GetNextKey,
    LookupElement,
    MapType,
    Ref,
    Script,
    UpdateElement,
    UpdateFlag,
)

TABLE = Ref("table")


def scripts(registers: PtRegs) -> tuple[Script | Clause, ...]:
    return (
        Script(
            "counting",
            "every hit of the probe runs the program once, and its atomic adds are all there",
            (
                array("hits"),
                *probed(on_our_prctl(registers, count_hits())),
                prctl(times=100),
                read_u64("hits"),
            ),
        ),
        Script(
            "lookup",
            "a program finds what the system call put into a hash map, and nothing under another key",
            (
                _table(),
                array("seen", entries=2),
                UpdateElement(TABLE, u64(MAGIC), u64(42)),
                *probed(
                    on_our_prctl(
                        registers,
                        _key(registers),
                        ld_map(R1, "table"),
                        call(Helper.MAP_LOOKUP_ELEM),
                        mov64_imm(R7, -1),
                        jeq_imm(R0, 0, "absent"),
                        ldx(DW, R7, R0, 0),
                        "absent",
                        element("seen"),
                        stx(DW, R0, 0, R7),
                        mov64_imm(R0, 0),
                    )
                ),
                prctl(MAGIC),
                read_u64("seen"),
                prctl(MAGIC + 1),
                read_u64("seen"),
            ),
        ),
        Clause(
            "update",
            "a program inserts into a hash map until it is full, and sees E2BIG then",
            (
                _table(entries=2),
                array("seen", entries=1),
                *probed(on_our_prctl(registers, _update(registers, UpdateFlag.ANY))),
                prctl(1, 11),
                read_u64("seen"),
                LookupElement(TABLE, u64(1), 8),
                prctl(2, 22),
                prctl(2, 23),
                LookupElement(TABLE, u64(2), 8),
                prctl(3, 33),
                read_u64("seen"),
                expect(LookupElement(TABLE, u64(3), 8), "ENOENT"),
            ),
            NO_NEEDS,
        ),
        Clause(
            "update-flags",
            "BPF_NOEXIST and BPF_EXIST are obeyed when a program updates",
            (
                _table(),
                array("seen"),
                *probed(on_our_prctl(registers, _update(registers, UpdateFlag.NOEXIST))),
                prctl(1, 11),
                read_u64("seen"),
                prctl(1, 12),
                read_u64("seen"),
                expect(UpdateElement(TABLE, u64(2), u64(22), UpdateFlag.EXIST), "ENOENT"),
                UpdateElement(TABLE, u64(1), u64(13), UpdateFlag.EXIST),
                expect(UpdateElement(TABLE, u64(1), u64(14), UpdateFlag.NOEXIST), "EEXIST"),
                LookupElement(TABLE, u64(1), 8),
            ),
            NO_NEEDS,
        ),
        Clause(
            "delete",
            "a program deletes an element, once",
            (
                _table(),
                array("seen"),
                UpdateElement(TABLE, u64(MAGIC), u64(42)),
                *probed(
                    on_our_prctl(
                        registers,
                        _key(registers),
                        ld_map(R1, "table"),
                        call(Helper.MAP_DELETE_ELEM),
                        mov64_reg(R7, R0),
                        element("seen"),
                        stx(DW, R0, 0, R7),
                        mov64_imm(R0, 0),
                    )
                ),
                prctl(MAGIC),
                read_u64("seen"),
                expect(LookupElement(TABLE, u64(MAGIC), 8), "ENOENT"),
                expect(GetNextKey(TABLE, None, 8), "ENOENT"),
                prctl(MAGIC),
                read_u64("seen"),
            ),
            NO_NEEDS,
        ),
        Clause(
            "map-calls",
            "the map commands of bpf(2) and their errors",
            (
                expect(CreateMap("refused", MapType.HASH, 0, 8, 1), "EINVAL"),
                expect(CreateMap("unspecified", 0, 4, 8, 1), "EINVAL"),
                _table(entries=1),
                expect(LookupElement(TABLE, u64(1), 8), "ENOENT"),
                UpdateElement(TABLE, u64(1), u64(10)),
                LookupElement(TABLE, u64(1), 8),
                expect(UpdateElement(TABLE, u64(2), u64(20)), "E2BIG"),
                expect(UpdateElement(TABLE, u64(1), u64(11), 77), "EINVAL"),
                GetNextKey(TABLE, None, 8),
                expect(GetNextKey(TABLE, u64(1), 8), "ENOENT"),
                expect(DeleteElement(TABLE, u64(2)), "ENOENT"),
                DeleteElement(TABLE, u64(1)),
                expect(LookupElement(-1, u64(1), 8), "EBADF"),
                array("seen", entries=2),
                expect(DeleteElement(Ref("seen"), u64(0)), "EINVAL"),
                expect(UpdateElement(Ref("seen"), u64(2), u64(0)), "E2BIG"),
                GetNextKey(Ref("seen"), None, 4),
                expect(GetNextKey(Ref("seen"), u64(1)[:4], 4), "ENOENT"),
            ),
            NO_NEEDS,
        ),
    )


def _table(entries: int = 8) -> CreateMap:
    return CreateMap("table", MapType.HASH, 8, 8, entries)


def _key(registers: PtRegs) -> tuple[Piece, ...]:
    """Puts the second argument of the script's prctl on the stack at -16; R2 points to it."""
    return (
        ldx(DW, R8, R6, registers.argument(1)),
        stx(DW, R10, -16, R8),
        mov64_reg(R2, R10),
        add64_imm(R2, -16),
    )


def _update(registers: PtRegs, flag: UpdateFlag) -> tuple[Piece, ...]:
    """Performs table[second argument] = third argument; the helper's result goes to "seen"."""
    return (
        _key(registers),
        ldx(DW, R8, R6, registers.argument(2)),
        stx(DW, R10, -24, R8),
        mov64_reg(R3, R10),
        add64_imm(R3, -24),
        ld_map(R1, "table"),
        mov64_imm(R4, flag),
        call(Helper.MAP_UPDATE_ELEM),
        mov64_reg(R7, R0),
        element("seen"),
        stx(DW, R0, 0, R7),
        mov64_imm(R0, 0),
    )
