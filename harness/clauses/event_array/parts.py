# SPDX-License-Identifier: MIT
"""Parts that clauses about perf event arrays share."""

from __future__ import annotations

import errno

from harness.clauses.parts import MAP
from harness.core_scripts.parts import u32
from harness.isa.assemble import (
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    ld_imm64,
    ld_map,
    mov64_imm,
    mov64_reg,
)
from harness.script.clause import Clause, Step, expect
from harness.script.operations import (
    CreateMap,
    MapRing,
    MapType,
    OpenOutputEvent,
    Operation,
    Ref,
    UpdateElement,
)

EVENTS = CreateMap("map", MapType.PERF_EVENT_ARRAY, 4, 4, 2)
OUT = Ref("out")
E2BIG, EINVAL, ENOENT = -errno.E2BIG, -errno.EINVAL, -errno.ENOENT
ENOSPC, EOPNOTSUPP = -errno.ENOSPC, -errno.EOPNOTSUPP


def clause(id: str, sentence: str, *steps: Operation | Step) -> Clause:
    return Clause(id, sentence, steps, since="5.10")


def put(size: int = 16, flags: int = 0) -> Piece:
    """Calls bpf_perf_event_output() with the data on the stack."""
    where = (mov64_reg(R1, R6), ld_map(R2, "map"), ld_imm64(R3, flags))
    return (where, mov64_reg(R4, R10), add64_imm(R4, -24), mov64_imm(R5, size), call(Helper.PERF_EVENT_OUTPUT))


def stored(out: OpenOutputEvent | None = None, pages: int = 2) -> tuple[Operation | Step, ...]:
    """Stores an event with a ring at index 0."""
    return (
        EVENTS,
        out or OpenOutputEvent("out"),
        MapRing("ring", OUT, pages),
        expect(UpdateElement(MAP, u32(0), OUT), 0),
    )


def read(flags: int) -> Piece:
    return (ld_map(R1, "map"), ld_imm64(R2, flags), call(Helper.PERF_EVENT_READ))
