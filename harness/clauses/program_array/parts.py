# SPDX-License-Identifier: MIT
"""Parts that clauses about program arrays share."""

from __future__ import annotations

from harness.core_scripts.parts import u32
from harness.isa.assemble import (
    R0,
    R1,
    R2,
    R3,
    R6,
    Helper,
    Piece,
    call,
    ld_map,
    mov64_imm,
    mov64_reg,
)
from harness.script.clause import NOTHING, Clause, Said, Step, expect
from harness.script.needs import Need
from harness.script.operations import (
    CreateMap,
    MapType,
    Operation,
    Ref,
    UpdateElement,
    UpdateFlag,
)

LATER = "5.10"
"""The first era that has program arrays."""
ARRAY = CreateMap("programs", MapType.PROG_ARRAY, 4, 4, 4)
PROGRAMS, FILTER, OTHER = Ref("programs"), Ref("filter"), Ref("other")


def clause(
    id: str,
    sentence: str,
    *steps: Operation | Step,
    needs: frozenset[Need] = NOTHING,
    since: str = LATER,
    until: str | None = None,
) -> Clause:
    return Clause(id, sentence, steps, needs, since, until)


def tail_call(index: int = 0) -> Piece:
    return (mov64_reg(R1, R6), ld_map(R2, "programs"), mov64_imm(R3, index), call(Helper.TAIL_CALL))


def returns(length: int) -> Piece:
    """Expects `length` bytes of the packet to arrive."""
    return (mov64_imm(R0, length),)


def put(program: Ref | bytes, said: Said = 0, *, index: int = 0, flags: int = UpdateFlag.ANY) -> Step:
    return expect(UpdateElement(PROGRAMS, u32(index), program, flags), said)
