# SPDX-License-Identifier: MIT
"""bpf(2): what loading, logs, helpers and map commands are predicted to do."""

from __future__ import annotations

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R10,
    add64_imm,
    call,
    exit_,
    ld_map,
    mov64_imm,
    mov64_reg,
    program,
    st,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Helper
from harness.script.matching import admits
from harness.script.operations import (
    Close,
    CreateMap,
    DeleteElement,
    GetNextKey,
    LoadProgram,
    LookupElement,
    MapType,
    OpenFile,
    Program,
    ProgramType,
    Ref,
    UpdateElement,
)
from harness.script.outcome import OneOf, Outcome
from tests.harness.model.scripts import (
    ALL,
    MAP,
    data,
    last,
    load,
    predict,
    results,
    returning,
)


def many(count: int) -> LoadProgram:
    code = (*[Instruction(0xB7)] * (count - 1), Instruction(0x95))
    return LoadProgram("program", ProgramType.SOCKET_FILTER, Program(code if count else ()))


def test_load_06_07_08_how_many_instructions() -> None:
    assert [last(many(count)) for count in (0, 4095, 4096)] == ["E2BIG", "ok", "EINVAL"]
    assert [last(many(count), name="5.10") for count in (0, 4096)] == ["E2BIG", "ok"]


def test_load_08_no_instruction_of_no_type() -> None:
    empty = LoadProgram("program", 99, Program(()))
    assert last(empty) == "EINVAL"
    assert last(empty, name="5.10") == "E2BIG"


def test_load_09_10_the_kernel_version_counts_for_kprobe_programs_of_4_1() -> None:
    code = Program((Instruction(0xB7), Instruction(0x95)))
    for type, expected in ((ProgramType.KPROBE, "EINVAL"), (ProgramType.SOCKET_FILTER, "ok")):
        assert last(LoadProgram("program", type, code, kern_version=1)) == expected
    assert last(LoadProgram("program", ProgramType.KPROBE, code, kern_version=1), name="5.10") == "ok"
    assert last(LoadProgram("program", ProgramType.KPROBE, code, kern_version=262452)) == "ok"


def test_load_12_13_types() -> None:
    for type in (0, 5, 99):
        assert last(LoadProgram("program", type, Program((Instruction(0xB7), Instruction(0x95))))) == "EINVAL"
    assert last(returning("program", 0), arch="arm64") == "EINVAL"
    assert last(returning("program", 0), arch="arm64", name="6.1") == "ok"


def test_load_03_to_05_only_gpl_programs_call_gpl_helpers() -> None:
    clock = (call(Helper.KTIME_GET_NS), exit_())
    printing = (st(DW, R10, -8, 0), mov64_reg(R1, R10), add64_imm(R1, -8), mov64_imm(R2, 8))
    printing = (*printing, call(Helper.TRACE_PRINTK), exit_())
    for license, expected in (("GPL", "ok"), ("Dual MIT/GPL", "ok"), ("gpl", "EINVAL"), ("", "EINVAL")):
        assert last(load("program", *clock, license=license)) == expected
        assert last(load("program", *clock, license=license), name="5.10") == "ok"
        assert last(load("program", *printing, license=license), name="5.10") == expected
    assert last(load("program", mov64_imm(R0, 0), exit_(), license="MIT")) == "ok"


def test_log_02_03_log_parameters() -> None:
    def logged(level: int, size: int) -> LoadProgram:
        return LoadProgram(
            "p", ProgramType.KPROBE, Program((Instruction(0xB7), Instruction(0x95))), "GPL", None, level, size
        )

    assert [last(logged(1, size)) for size in (127, 128, 0xFFFFFF, 0x1000000)] == ["EINVAL", "ok", "ok", "EINVAL"]
    assert last(logged(8, 128)) == "ok" and last(logged(8, 128), name="5.10") == "EINVAL"
    (prediction,) = predict(logged(1, 4096))
    assert isinstance(prediction, Outcome) and isinstance(prediction.log, str)
    assert prediction.log.startswith("0: (b7) r0 = 0\n1: (95) exit\n")


def test_a_log_shows_what_nobody_can_know_of_maps() -> None:
    loading = program(ld_map(R1, "map"), mov64_imm(R0, 0), exit_())
    logged = LoadProgram("p", ProgramType.KPROBE, loading, log_level=1)
    accepted = predict(MAP, logged)[-1]
    assert isinstance(accepted, Outcome) and accepted.log is not None and not isinstance(accepted.log, str)
    assert accepted.log.admits("0: (18) r1 = 0x7c10a000\n2: (b7) r0 = 0\n3: (95) exit\n")
    assert not accepted.log.admits("0: (18) r1 = 0x7c10a000\n2: (b7) r0 = 1\n3: (95) exit\n")
    refused = predict(OpenFile("map"), logged)[-1]
    assert isinstance(refused, Outcome) and refused.log is not None and not isinstance(refused.log, str)
    assert refused.log.admits("fd 5 is not pointing to valid bpf_map\n")
    assert not refused.log.admits("fd 5 is not pointing\n")


def test_m_59_maps_that_are_none() -> None:
    program = load("program", ld_map(R1, "map"), mov64_imm(R0, 0), exit_())
    assert last(OpenFile("map"), program) == "EINVAL"
    assert last(CreateMap("map", 0, 4, 8, 1), program) == "EBADF"
    for name in ALL:
        assert last(MAP, program, name=name) == "ok"


def test_h_07_later_helpers() -> None:
    program = load("program", call(Helper.GET_SMP_PROCESSOR_ID), exit_())
    assert last(program) == "EINVAL"
    assert last(program, name="5.10") == "ok"


def test_sys_01_without_privileges() -> None:
    facts = {"uid": 1000, "capabilities": frozenset[str]()}
    assert results(MAP, LookupElement(-1, b"", 8), returning("program", 0), **facts) == ["EPERM"] * 3
    assert results(MAP, LookupElement(-1, b"", 8), name="6.1", **facts) == ["EPERM", "EBADF"]


def test_map_20_to_26_descriptors() -> None:
    for operation in (
        lambda of: LookupElement(of, bytes(4), 8),
        lambda of: UpdateElement(of, bytes(4), bytes(8)),
        lambda of: DeleteElement(of, bytes(4)),
        lambda of: GetNextKey(of, None, 4),
    ):
        assert last(operation(-1)) == "EBADF"
        assert last(CreateMap("never made", 0, 4, 8, 1), operation(Ref("never made"))) == "EBADF"
        assert last(OpenFile("file"), operation(Ref("file"))) == "EINVAL"
        assert last(MAP, Close(Ref("map")), operation(Ref("map"))) == "EBADF"


def test_next_key_of_several_is_one_of_them() -> None:
    make = CreateMap("map", MapType.HASH, 1, 1, 4)
    filled = (make, UpdateElement(Ref("map"), b"a", b"1"), UpdateElement(Ref("map"), b"b", b"2"))
    prediction = predict(*filled, GetNextKey(Ref("map"), None, 1))[-1]
    assert data(prediction) == OneOf((b"a", b"b"))
    assert isinstance(prediction, Outcome)
    assert admits(prediction, Outcome(value=0, data=b"b"), {})
    assert not admits(prediction, Outcome(value=0, data=b"c"), {})
    assert last(*filled, GetNextKey(Ref("map"), b"a", 1)) == "?"
    assert last(*filled, DeleteElement(Ref("map"), b"b"), GetNextKey(Ref("map"), b"a", 1)) == "ENOENT"
