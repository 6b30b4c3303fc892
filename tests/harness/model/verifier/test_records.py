# SPDX-License-Identifier: MIT
"""What is added to 4.1's verifier for later ones: maps and helpers that fit, and records that must be given back."""

from __future__ import annotations

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
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
    jgt_imm,
    jne_imm,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
)
from harness.script.operations import CreateMap, LoadProgram, MapType, ProgramType
from tests.harness.model.scripts import predict, said

RING = CreateMap("ring", MapType.RINGBUF, 0, 0, 4096)
LATER = ("5.10", "6.1", "6.12", "7.2")
RESERVE = (ld_map(R1, "ring"), mov64_imm(R2, 16), mov64_imm(R3, 0), call(Helper.RINGBUF_RESERVE))
END = (mov64_imm(R0, 0), exit_())


def give(register: int, helper: Helper = Helper.RINGBUF_SUBMIT) -> Piece:
    return (mov64_reg(R1, register), mov64_imm(R2, 0), call(helper))


def verdict(*pieces: Piece, name: str = "6.1") -> object:
    """ "?" where nothing is predicted, else an errno, or 0 for a program that loads."""
    loaded = said(predict(RING, LoadProgram("p", ProgramType.KPROBE, program(*pieces)), name=name)[-1])
    return loaded if (isinstance(loaded, str) and loaded.isupper()) or loaded == "?" else 0


@pytest.mark.parametrize("name", LATER)
def test_each_path_gives_back_what_it_reserved(name: str) -> None:
    checked = (RESERVE, mov64_reg(R6, R0), jeq_imm(R0, 0, "out"))
    assert verdict(checked, give(R6), "out", END, name=name) == 0
    assert verdict(checked, give(R6, Helper.RINGBUF_DISCARD), "out", END, name=name) == 0
    assert verdict(checked, "out", END, name=name) == "EINVAL"
    assert verdict(checked, give(R6), give(R6), "out", END, name=name) == "EACCES"
    assert verdict(checked, give(R6), ldx(DW, R0, R6, 0), "out", END, name=name) == "EACCES"
    assert verdict(checked, give(R6), exit_(), "out", END, name=name) == "EACCES"  # R0 holds nothing
    assert verdict(RESERVE, st(DW, R0, 0, 1), give(R0), END, name=name) == "EACCES"


def test_where_there_was_no_room_there_is_nothing_to_give_back() -> None:
    turned = (RESERVE, mov64_reg(R6, R0), jne_imm(R0, 0, "got"), END, "got")
    assert verdict(turned, give(R6), END) == 0
    assert verdict(turned, END) == "EINVAL"


def test_two_records_are_two() -> None:
    first = (RESERVE, mov64_reg(R6, R0), jeq_imm(R0, 0, "none"))
    second = (RESERVE, mov64_reg(R7, R0), jeq_imm(R0, 0, "one"))
    assert verdict(first, second, give(R7), "one", give(R6), "none", END) == 0
    assert verdict(first, second, give(R6), give(R6), "one", "none", END) == "EACCES"


def test_a_saved_record_goes_with_the_others() -> None:
    saved = (RESERVE, jeq_imm(R0, 0, "out"), mov64_reg(R6, R0), stx(DW, R10, -8, R6))
    assert verdict(saved, ldx(DW, R8, R10, -8), give(R8), "out", END) == 0
    assert verdict(saved, give(R6), ldx(DW, R8, R10, -8), give(R8), "out", END) == "EACCES"  # a number from then on


def test_a_path_that_holds_a_record_is_not_taken_for_one_that_does_not() -> None:
    """Both come to where paths are compared with the same registers, the one without a record first."""
    without = (call(Helper.GET_PRANDOM_U32), jgt_imm(R0, 9, "take"), mov64_imm(R0, 0), jeq_imm(R0, 0, "join"))
    assert verdict(without, "take", RESERVE, mov64_imm(R0, 0), "join", exit_()) == "?"
    assert verdict(without, "take", mov64_imm(R0, 0), "join", exit_()) == 0


def test_a_record_is_memory_of_its_size() -> None:
    got = (RESERVE, mov64_reg(R6, R0), jeq_imm(R0, 0, "out"))

    def comm(size: int) -> Piece:
        return (mov64_reg(R1, R6), mov64_imm(R2, size), call(Helper.GET_CURRENT_COMM))

    assert verdict(got, comm(16), give(R6), "out", END) == 0
    assert verdict(got, comm(17), give(R6), "out", END) == "EACCES"
    assert verdict(got, comm(0), give(R6), "out", END) == "?"
    assert verdict(got, st(DW, R6, 8, 1), give(R6), "out", END) == 0
    assert verdict(got, st(DW, R6, 16, 1), give(R6), "out", END) == "EACCES"


def test_what_is_no_record_is_not_taken_back() -> None:
    value = (
        *(st(DW, R10, -8, 0), ld_map(R1, "array"), mov64_reg(R2, R10), add64_imm(R2, -8)),
        *(call(Helper.MAP_LOOKUP_ELEM), jeq_imm(R0, 0, "out"), mov64_reg(R6, R0)),
    )
    load = LoadProgram("p", ProgramType.KPROBE, program(value, give(R6), "out", END))
    assert said(predict(CreateMap("array", MapType.HASH, 8, 8, 1), load, name="6.1")[-1]) == "EACCES"


@pytest.mark.parametrize("name", LATER)
def test_maps_and_helpers_fit(name: str) -> None:
    lookup = (st(DW, R10, -8, 0), ld_map(R1, "m"), mov64_reg(R2, R10), add64_imm(R2, -8), call(1), END)
    number = (ld_map(R2, "m"), mov64_imm(R3, 0), call(Helper.GET_STACKID), END)

    def loaded(kind: MapType, *pieces: Piece) -> object:
        sizes = (4, 8) if kind is not MapType.PERF_EVENT_ARRAY else (4, 4)
        load = LoadProgram("p", ProgramType.KPROBE, program(*pieces))
        return said(predict(CreateMap("m", kind, *sizes, 1), load, name=name)[-1])

    assert [loaded(kind, lookup) for kind in (MapType.HASH, MapType.STACK_TRACE)] == ["ok", "EINVAL"]
    assert loaded(MapType.PERF_EVENT_ARRAY, lookup) == "EINVAL"
    assert [loaded(kind, number) for kind in (MapType.STACK_TRACE, MapType.HASH)] == ["ok", "EINVAL"]
