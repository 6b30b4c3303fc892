# SPDX-License-Identifier: MIT
"""Runs of programs with global data: an array of one value, whose address they have without a look-up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    Piece,
    add64_imm,
    exit_,
    ldx,
    mov64_reg,
    program,
    stx,
    sub64_reg,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Pseudo
from harness.pytest_plugin.guest import LaneGuest
from harness.script.operations import (
    CreateMap,
    LoadProgram,
    LookupElement,
    MapType,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
)
from tests.harness.model.scripts import element, predict, results, u64

DATA = CreateMap("map", MapType.ARRAY, 4, 24, 1)
STORED = UpdateElement(Ref("map"), bytes(4), u64(5) + u64(7) + u64(0))
FOUND = LookupElement(Ref("map"), bytes(4), 24)
PACKET = bytes(64)


def address(register: int, offset: int) -> tuple[Instruction, Instruction]:
    """Of a byte of the data."""
    return Instruction(LD_IMM64, register, Pseudo.MAP_VALUE), Instruction(0, imm=offset)


def script(*pieces: Piece) -> Script:
    """A filter with data, which runs once, and what is in the data then."""
    code = program(*pieces)
    pseudo = [at for at, one in enumerate(code.instructions) if (one.code, one.src) == (LD_IMM64, Pseudo.MAP_VALUE)]
    whole = replace(code, maps=(*code.maps, *((at, Ref("map")) for at in pseudo)))
    filtered = LoadProgram("program", ProgramType.SOCKET_FILTER, whole)
    return Script("data", "", (DATA, STORED, filtered, RunSocketFilter(Ref("program"), PACKET), FOUND))


COPIED = script(address(R1, 8), address(R2, 16), ldx(DW, R0, R1, 0), stx(DW, R2, 0, R0), exit_())
BACKWARDS = script(address(R1, 8), ldx(DW, R3, R1, -8), stx(DW, R1, 8, R3), ldx(DW, R0, R1, 0), exit_())
APART = script(address(R1, 20), address(R2, 8), mov64_reg(R0, R1), sub64_reg(R0, R2), add64_imm(R0, 1), exit_())
LOOKED_UP = script(
    *element(0), mov64_reg(R6, R0), address(R1, 0), sub64_reg(R6, R1), add64_imm(R6, 9), mov64_reg(R0, R6), exit_()
)
FAR = script(address(R1, 24), ldx(DW, R0, R1, 0), exit_())


@pytest.mark.parametrize("release", ["5.10", "6.1", "7.2"])
@pytest.mark.parametrize(
    ("one", "kept", "content"),
    [
        (COPIED, 7, u64(5) + u64(7) + u64(7)),
        (BACKWARDS, 7, u64(5) + u64(7) + u64(5)),
        (APART, 13, u64(5) + u64(7) + u64(0)),
        (LOOKED_UP, 9, u64(5) + u64(7) + u64(0)),
    ],
)
def test_global_data_is_at_its_offset_from_the_value(one: Script, kept: int, content: bytes, release: str) -> None:
    said = predict(*one.operations, name=release)
    assert [getattr(said[3], "value", None), getattr(said[4], "data", None)] == [kept, content], said


def test_what_is_behind_the_data_is_refused() -> None:
    assert results(*FAR.operations[:3], name="6.1")[-1] in ("EINVAL", "?")


@pytest.mark.guest
@pytest.mark.kernel_from("5.10")
def test_kernels_have_global_data_at_its_offset(guest: LaneGuest) -> None:
    for one in (COPIED, BACKWARDS, APART, LOOKED_UP):
        guest.check(one)
