# SPDX-License-Identifier: MIT
"""BPF_MAP_FREEZE, and what verifiers know of the content of a frozen map."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.abi.bpf import Command, MapFlag
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R6,
    Piece,
    call,
    exit_,
    jeq_imm,
    jgt_imm,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Pseudo
from harness.pytest_plugin.guest import LaneGuest
from harness.script.clause import expect
from harness.script.operations import (
    CreateMap,
    DeleteElement,
    LoadProgram,
    MapType,
    Part,
    ProgramType,
    RawBpf,
    Ref,
    UpdateElement,
)
from tests.harness.model.scripts import element, last, load, read, results, u64

CONSTANTS = CreateMap("map", MapType.ARRAY, 4, 8, 1, MapFlag.RDONLY_PROG)
FREEZE = RawBpf(Command.MAP_FREEZE, (Part(0, 4, Ref("map")),))
STORE = UpdateElement(Ref("map"), bytes(4), u64(5))


def test_a_frozen_map_is_not_written_by_system_calls() -> None:
    """map_freeze(), map_get_sys_perms()"""
    assert results(CONSTANTS, STORE, FREEZE, FREEZE, STORE, read(), name="6.1") == ["ok", 0, 0, "EBUSY", "EPERM", 0]
    assert last(CONSTANTS, FREEZE, DeleteElement(Ref("map"), bytes(4)), name="6.1") == "EPERM"
    assert last(CONSTANTS, replace(FREEZE, parts=(*FREEZE.parts, Part(4, 4, 1))), name="6.1") == "EINVAL"
    assert last(RawBpf(Command.MAP_FREEZE, (Part(0, 4, -1),)), name="6.1") == "EBADF"
    assert last(CreateMap("map", MapType.ARRAY, 4, 8, 1), FREEZE, name="4.1") == "EINVAL"
    mapped = CreateMap("map", MapType.ARRAY, 4, 8, 1, MapFlag.MMAPABLE)
    assert last(mapped, FREEZE, name="6.1") == "?"


def test_the_content_of_a_frozen_map_is_constant_for_programs() -> None:
    """Since 5.5 the verifier reads it, and takes one side of the branch only (a23740ec43ba)."""
    value = Instruction(LD_IMM64, R1, Pseudo.MAP_VALUE, 0, 0), Instruction(0)
    code = program(value, ldx(DW, R1, R1, 0), jeq_imm(R1, 5, 1), call(9999), mov64_imm(R0, 0), exit_())
    loaded = LoadProgram("program", ProgramType.KPROBE, replace(code, maps=((0, Ref("map")),)))
    assert last(CONSTANTS, STORE, FREEZE, loaded, name="6.1") == "ok"
    assert last(CONSTANTS, FREEZE, loaded, name="6.1") == "EINVAL"
    assert last(CONSTANTS, STORE, loaded, name="6.1") == "?"
    assert last(replace(CONSTANTS, flags=0), STORE, FREEZE, loaded, name="6.1") == "?"
    assert last(replace(CONSTANTS, max_entries=2), STORE, FREEZE, loaded, name="6.1") == "?"


def behind(condition: Piece) -> LoadProgram:
    """A program that reads a register nobody wrote, unless the condition of the map's value in R1 holds."""
    bad = (mov64_reg(R0, R6), exit_())
    return load("program", *element(0), ldx(DW, R1, R0, 0), condition, *bad, mov64_imm(R0, 0), exit_())


@pytest.mark.parametrize("condition", [jeq_imm(R1, 5, 2), jgt_imm(R1, 4, 2)])
@pytest.mark.parametrize("name", ["5.10", "6.1", "7.2"])
def test_behind_a_comparison_with_a_constant_no_verifier_need_come(name: str, condition: Piece) -> None:
    """Of a map that may have any content every verifier takes both sides."""
    program = behind(condition)
    assert last(CONSTANTS, STORE, FREEZE, program, name=name) == "ok"
    assert last(CONSTANTS, FREEZE, program, name=name) == "EACCES"
    assert last(CONSTANTS, STORE, program, name=name) == "EACCES"
    assert last(replace(CONSTANTS, flags=0), STORE, FREEZE, program, name=name) == "EACCES"


def test_where_nobody_knows_whether_a_map_is_frozen_the_verdict_is_open() -> None:
    program = behind(jeq_imm(R1, 0, 2))
    unsure = replace(CONSTANTS, flags=CONSTANTS.flags | MapFlag.RDONLY)
    assert results(unsure, FREEZE, program, name="6.1") == ["ok", "?", "?"]
    assert last(unsure, program, name="6.1") == "EACCES"


@pytest.mark.guest
@pytest.mark.needs("kprobes")
@pytest.mark.kernel_from("5.10")
def test_kernels_read_what_is_frozen(guest: LaneGuest) -> None:
    program = behind(jeq_imm(R1, 5, 2))
    guest.check(CONSTANTS, STORE, FREEZE, program)
    guest.check(CONSTANTS, FREEZE, expect(program, "EACCES"))
    guest.check(CONSTANTS, STORE, expect(program, "EACCES"))
