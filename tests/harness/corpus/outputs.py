# SPDX-License-Identifier: MIT
"""Programs that hand data out: what verifiers say of helpers, of their maps, and of records that must be given back."""

from __future__ import annotations

from collections.abc import Iterator

from harness.core_scripts.parts import array
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R10,
    Helper,
    Piece,
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
    st,
    stx,
)
from harness.script.operations import CreateMap, LoadProgram, MapType, ProgramType, Script

RING = CreateMap("map", MapType.RINGBUF, 0, 0, 4096)
EVENTS = CreateMap("map", MapType.PERF_EVENT_ARRAY, 4, 4, 2)
STACKS = CreateMap("map", MapType.STACK_TRACE, 4, 64, 4)
MAPS = {"ring": RING, "events": EVENTS, "stacks": STACKS, "array": array("map")}
END = (mov64_imm(R0, 0), exit_())
BEGIN = tuple(st(DW, R10, -8 * slot, slot) for slot in (1, 2, 3, 4))
"""32 bytes of stack; the context stays in R1."""


def corpus() -> tuple[Script, ...]:
    """Every program under a GPL and under a proprietary licence."""
    return tuple(
        Script(
            f"{name} {license}", "", (MAPS[map], LoadProgram("program", ProgramType.KPROBE, program(*body), license))
        )
        for name, map, body in (*_calls(), *_records())
        for license in ("GPL", "Proprietary")
    )


def _calls() -> Iterator[tuple[str, str, tuple[Piece, ...]]]:
    """Each helper with each type of map."""

    def below(register: int, distance: int) -> Piece:
        return (mov64_reg(register, R10), add64_imm(register, -distance))

    helpers: dict[Helper, tuple[Piece, ...]] = {
        Helper.MAP_DELETE_ELEM: (ld_map(R1, "map"), below(R2, 8)),
        Helper.PERF_EVENT_READ: (ld_map(R1, "map"), mov64_imm(R2, 0)),
        Helper.PERF_EVENT_READ_VALUE: (ld_map(R1, "map"), mov64_imm(R2, 0), below(R3, 24), mov64_imm(R4, 24)),
        Helper.PERF_EVENT_OUTPUT: (ld_map(R2, "map"), mov64_imm(R3, 0), below(R4, 8), mov64_imm(R5, 8)),
        Helper.GET_STACKID: (ld_map(R2, "map"), mov64_imm(R3, 0)),
        Helper.GET_STACK: (below(R2, 16), mov64_imm(R3, 16), mov64_imm(R4, 0)),
        Helper.RINGBUF_OUTPUT: (ld_map(R1, "map"), below(R2, 32), mov64_imm(R3, 32), mov64_imm(R4, 0)),
        Helper.RINGBUF_QUERY: (ld_map(R1, "map"), mov64_imm(R2, 0)),
    }
    for helper, arguments in helpers.items():
        for map in MAPS:
            yield f"{helper.name} {map}", map, (BEGIN, arguments, call(helper), END)
            if helper is not Helper.RINGBUF_OUTPUT:
                continue
            for size in (0, 33, -1):
                changed = (ld_map(R1, "map"), below(R2, 32), mov64_imm(R3, size), mov64_imm(R4, 0))
                yield f"{helper.name} {map} {size}", map, (BEGIN, changed, call(helper), END)


def _records() -> Iterator[tuple[str, str, tuple[Piece, ...]]]:
    """What becomes of a record in R6."""

    def give(register: int, helper: Helper = Helper.RINGBUF_SUBMIT) -> Piece:
        return (mov64_reg(R1, register), mov64_imm(R2, 0), call(helper))

    def reserve(size: int, out: str = "out") -> Piece:
        take = (ld_map(R1, "map"), mov64_imm(R2, size), mov64_imm(R3, 0), call(Helper.RINGBUF_RESERVE))
        return (take, mov64_reg(R6, R0), jeq_imm(R0, 0, out))

    def comm(size: int) -> Piece:
        return (mov64_reg(R1, R6), mov64_imm(R2, size), call(Helper.GET_CURRENT_COMM))

    unchecked = (
        ld_map(R1, "map"),
        mov64_imm(R2, 16),
        mov64_imm(R3, 0),
        call(Helper.RINGBUF_RESERVE),
        mov64_reg(R6, R0),
    )
    discard = give(R6, Helper.RINGBUF_DISCARD)
    bodies: dict[str, tuple[Piece, ...]] = {
        "submitted": (reserve(16), st(DW, R6, 0, 1), st(DW, R6, 8, 1), give(R6), "out"),
        "discarded": (reserve(16), discard, "out"),
        "empty": (reserve(0), give(R6), "out"),
        "leaked": (reserve(16), "out"),
        "forgotten": (reserve(16), mov64_imm(R6, 0), "out"),
        "returned": (reserve(16), mov64_reg(R0, R6), exit_(), "out"),
        "twice": (reserve(16), give(R6), discard, "out"),
        "unchecked": (unchecked, give(R6)),
        "written unchecked": (unchecked, st(DW, R6, 0, 1), give(R6)),
        "checked by its copy": (unchecked, jne_imm(R6, 0, "got"), END, "got", give(R0)),
        "used afterwards": (reserve(16), give(R6), ldx(DW, R0, R6, 0), "out"),
        "read first": (reserve(16), ldx(DW, R7, R6, 8), give(R6), "out"),
        "written behind": (reserve(16), st(DW, R6, 16, 1), give(R6), "out"),
        "written before": (reserve(16), st(DW, R6, -8, 1), give(R6), "out"),
        "filled": (reserve(16), comm(16), give(R6), "out"),
        "overfilled": (reserve(16), comm(17), give(R6), "out"),
        "saved": (reserve(16), stx(DW, R10, -8, R6), ldx(DW, R8, R10, -8), give(R8), "out"),
        "saved and given back": (reserve(16), stx(DW, R10, -8, R6), give(R6), ldx(DW, R8, R10, -8), give(R8), "out"),
        "two": (reserve(8), mov64_reg(R8, R6), reserve(8, "one"), give(R6), "one", give(R8), "out"),
        "one of two": (reserve(8), mov64_reg(R8, R6), reserve(8, "one"), "one", give(R8), "out"),
        "the stack": (mov64_reg(R6, R10), give(R6)),
        "the context": (mov64_reg(R6, R1), give(R6)),
    }
    for name, body in bodies.items():
        yield f"a record {name}", "ring", (*body, END)
