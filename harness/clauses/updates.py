# SPDX-License-Identifier: MIT
"""The results of changing a map in a program: kernel/bpf/helpers.c; a negative errno, extended to 64 bits."""

from __future__ import annotations

import errno

from harness.abi.pt_regs import PtRegs
from harness.clauses.parts import MAP
from harness.core_scripts.parts import array, element, u32
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R7,
    R10,
    Helper,
    W,
    add64_imm,
    call,
    exit_,
    ld_imm64,
    ld_map,
    mov64_imm,
    mov64_reg,
    program,
    stx,
)
from harness.script.clause import Clause, expect
from harness.script.needs import Need
from harness.script.operations import (
    CreateMap,
    LoadProgram,
    LookupElement,
    MapType,
    Program,
    ProgramType,
    Ref,
    RunSocketFilter,
    UpdateElement,
)

ENOENT, E2BIG, EEXIST, EINVAL = -errno.ENOENT, -errno.E2BIG, -errno.EEXIST, -errno.EINVAL
PRESENT, ABSENT, OUTSIDE = 1, 2, 9
HASH, ARRAY = CreateMap("map", MapType.HASH, 4, 8, 1), array("map", entries=4)


def clauses(_: PtRegs) -> tuple[Clause, ...]:
    """Returns MAP-49, MAP-50. The hash map is full, with one element under key PRESENT."""
    rows: tuple[tuple[str, str, CreateMap, int, int | None, int], ...] = (
        (
            "MAP-49.replaced",
            "bpf_map_update_elem replaces the value of a key in a full hash map, and returns 0",
            HASH,
            PRESENT,
            0,
            0,
        ),
        (
            "MAP-49.full",
            "bpf_map_update_elem of a further key in a full hash map returns -E2BIG",
            HASH,
            ABSENT,
            0,
            E2BIG,
        ),
        (
            "MAP-49.exists",
            "bpf_map_update_elem of a key that is present, with BPF_NOEXIST, returns -EEXIST",
            HASH,
            PRESENT,
            1,
            EEXIST,
        ),
        (
            "MAP-49.flags",
            "bpf_map_update_elem on a hash map with flags 3, which mean nothing, returns -EINVAL",
            HASH,
            PRESENT,
            3,
            EINVAL,
        ),
        ("MAP-49.array", "bpf_map_update_elem writes to an element of an array, and returns 0", ARRAY, PRESENT, 0, 0),
        (
            "MAP-49.array-exists",
            "bpf_map_update_elem on an array with BPF_NOEXIST returns -EEXIST",
            ARRAY,
            PRESENT,
            1,
            EEXIST,
        ),
        ("MAP-49.outside", "bpf_map_update_elem behind the end of an array returns -E2BIG", ARRAY, OUTSIDE, 0, E2BIG),
        ("MAP-49.deleted", "bpf_map_delete_elem deletes a key of a hash map, and returns 0", HASH, PRESENT, None, 0),
        ("MAP-49.absent", "bpf_map_delete_elem of an absent key returns -ENOENT", HASH, ABSENT, None, ENOENT),
        ("MAP-49.array-delete", "bpf_map_delete_elem on an array returns -EINVAL", ARRAY, PRESENT, None, EINVAL),
        (
            "MAP-50",
            "bpf_map_update_elem with flags 1 << 32 returns -EINVAL: all 64 bits of the flags count",
            HASH,
            PRESENT,
            1 << 32,
            EINVAL,
        ),
    )
    return tuple(
        Clause(
            id,
            sentence,
            (
                map,
                array("result"),
                UpdateElement(MAP, u32(PRESENT), bytes(8)),
                LoadProgram("filter", ProgramType.SOCKET_FILTER, _changes(key, flags)),
                expect(RunSocketFilter(Ref("filter"), b"packet"), 1),
                # The upper half is what a function that returns an int leaves there, in 6.1's JITs.
                expect(LookupElement(Ref("result"), u32(0), 8), u32(result) + bytes(4)),
            ),
            frozenset({Need.STACK}),
        )
        for id, sentence, map, key, flags, result in rows
    )


def _changes(key: int, flags: int | None) -> Program:
    """Updates the element with its own key, or deletes it (None); the low half of the helper's result is stored."""
    change = (
        (mov64_reg(R3, R10), add64_imm(R3, -16), ld_imm64(R4, flags or 0), call(Helper.MAP_UPDATE_ELEM))
        if flags is not None
        else call(Helper.MAP_DELETE_ELEM)
    )
    return program(
        mov64_imm(R1, key),
        stx(W, R10, -8, R1),
        stx(DW, R10, -16, R1),
        mov64_reg(R2, R10),
        add64_imm(R2, -8),
        ld_map(R1, "map"),
        change,
        mov64_reg(R7, R0),
        element("result"),
        stx(W, R0, 0, R7),
        mov64_imm(R0, 1),
        exit_(),
    )
