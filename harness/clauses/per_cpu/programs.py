# SPDX-License-Identifier: MIT
"""Programs on maps with a value for each CPU, which see their own CPU's value."""

from __future__ import annotations

from harness.clauses.parts import MAP, filtered
from harness.clauses.per_cpu.parts import ARRAY, LIKE_HASH, ONE, TYPES, clause, made, read
from harness.core_scripts.parts import array, u32, u64
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R4,
    R7,
    R8,
    R9,
    R10,
    Helper,
    Piece,
    W,
    add64_imm,
    call,
    jeq_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    st,
    stx,
)
from harness.script.clause import Clause, Step, expect
from harness.script.operations import (
    LookupElement,
    Ref,
    UpdateElement,
)
from harness.script.outcome import PerCpu


def programs_clauses() -> tuple[Clause, ...]:
    before = PerCpu(u64(10), u64(20))
    return (
        *(
            clause(
                f"PCPU-20.{name}",
                f"bpf_map_lookup_elem on a map of type {type.name} returns the value of the CPU that the program "
                "runs on",
                made(type),
                expect(UpdateElement(MAP, ONE, before), 0),
                *filtered(_lookup(), jeq_imm(R0, 0, "end"), ldx(DW, R1, R0, 0), add64_imm(R1, 1), stx(DW, R0, 0, R1)),
                expect(read(ONE), PerCpu(u64(11), u64(20))),
            )
            for name, type in TYPES.items()
        ),
        *(
            clause(
                f"PCPU-21.{name}",
                f"bpf_map_update_elem on a map of type {type.name} changes the running CPU's value in its place, which "
                "pointers to it see",
                made(type),
                array("results", entries=4),
                expect(UpdateElement(MAP, ONE, before), 0),
                *filtered(
                    *(_lookup(), jeq_imm(R0, 0, "end"), mov64_reg(R7, R0)),
                    *(_update(value=77), mov64_reg(R9, R0)),
                    *(ldx(W, R1, R7, 0), _result(0, R1), _result(1, R9)),
                ),
                expect(read(ONE), PerCpu(u64(77), u64(20))),
                _result_is(0, 77),
                _result_is(1, 0),
            )
            for name, type in TYPES.items()
        ),
        *(
            clause(
                f"PCPU-22.{name}",
                f"bpf_map_update_elem of an absent key in a map of type {type.name} leaves zeros on the other CPUs",
                made(type),
                *filtered(_update(value=77)),
                expect(read(ONE), PerCpu(u64(77), u64(0))),
            )
            for name, type in LIKE_HASH.items()
        ),
        *(
            clause(
                f"PCPU-23.{name}",
                f"bpf_map_delete_elem takes a key out of a map of type {type.name}, then returns -ENOENT, and a "
                "lookup NULL",
                made(type),
                array("results", entries=4),
                expect(UpdateElement(MAP, ONE, before), 0),
                *filtered(
                    *(_delete(), _result(0, R0)),
                    *(_delete(), _result(1, R0)),
                    *(_lookup(), _found(2)),
                ),
                _result_is(0, 0),
                _result_is(1, -2),
                _result_is(2, 0),
                expect(read(ONE), "ENOENT"),
            )
            for name, type in LIKE_HASH.items()
        ),
        clause(
            "PCPU-23.array",
            "bpf_map_delete_elem on a PERCPU_ARRAY returns -EINVAL; behind its end a lookup returns NULL, an "
            "update -E2BIG",
            made(ARRAY, entries=1),
            array("results", entries=4),
            *filtered(*(_delete(), _result(0, R0)), *(_lookup(), _found(1)), *(_update(), _result(2, R0))),
            _result_is(0, -22),
            _result_is(1, 0),
            _result_is(2, -7),
        ),
    )


def _key() -> Piece:
    return (st(W, R10, -4, 1), mov64_reg(R2, R10), add64_imm(R2, -4), ld_map(R1, "map"))


def _lookup() -> Piece:
    return (_key(), call(Helper.MAP_LOOKUP_ELEM))


def _delete() -> Piece:
    return (_key(), call(Helper.MAP_DELETE_ELEM))


def _update(value: int = 1, flags: int = 0) -> Piece:
    return (
        *(st(DW, R10, -16, value), _key(), mov64_reg(R3, R10), add64_imm(R3, -16), mov64_imm(R4, flags)),
        call(Helper.MAP_UPDATE_ELEM),
    )


def _result(index: int, register: int) -> Piece:
    """Stores the lower half of a register, the only defined part of it after a function that returns an int."""
    return (
        *(mov64_reg(R8, register), st(W, R10, -4, index), mov64_reg(R2, R10), add64_imm(R2, -4)),
        *(ld_map(R1, "results"), call(Helper.MAP_LOOKUP_ELEM), jeq_imm(R0, 0, "end"), stx(W, R0, 0, R8)),
    )


def _found(index: int) -> Piece:
    """Stores whether a lookup found something, as 0 or 1."""
    return (mov64_imm(R7, 0), jeq_imm(R0, 0, 1), mov64_imm(R7, 1), _result(index, R7))


def _result_is(index: int, value: int) -> Step:
    return expect(LookupElement(Ref("results"), u32(index), 8), u32(value) + bytes(4))
