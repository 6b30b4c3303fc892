# SPDX-License-Identifier: MIT
"""Programs of type TRACEPOINT: what they may read and call, and which events take them."""

from __future__ import annotations

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R6,
    R10,
    Piece,
    W,
    add64_imm,
    call,
    exit_,
    jeq_imm,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
)
from harness.model.interface.context_uses import Reads, context_reads
from harness.script.operations import (
    Attach,
    FindTracepoint,
    LoadProgram,
    OpenEvent,
    Operation,
    ProgramType,
    ReadCount,
    Ref,
)
from harness.script.outcome import Outcome, Unknown
from tests.harness.model.scripts import last, predict

LATER = ("5.10", "6.1", "6.12", "7.2")
EVENT, PROGRAM = Ref("event"), Ref("program")
FILTER = LoadProgram("program", ProgramType.SOCKET_FILTER, program(mov64_imm(R0, 0), exit_()))


def load(*pieces: Piece) -> LoadProgram:
    return LoadProgram("program", ProgramType.TRACEPOINT, program(*pieces, mov64_imm(R0, 0), exit_()))


def on(tracepoint: str) -> tuple[Operation, ...]:
    return FindTracepoint("point", tracepoint), OpenEvent("event", Ref("point")), Attach(EVENT, PROGRAM)


def said(*script: Operation, name: str = "6.1") -> object:
    return last(*script, name=name)


def test_4_1_has_no_such_programs() -> None:
    assert said(load(), name="4.1") == "EINVAL"


@pytest.mark.parametrize("name", LATER)
def test_the_record_is_read_behind_its_first_eight_bytes(name: str) -> None:
    assert said(load(ldx(DW, R0, R1, 8)), name=name) == "ok"
    assert said(load(ldx(DW, R0, R1, 0)), name=name) == "EACCES"
    assert said(load(ldx(W, R0, R1, 4)), name=name) == "EACCES"
    assert said(load(ldx(DW, R0, R1, 2040)), name=name) == "ok"
    assert said(load(ldx(DW, R0, R1, 8192)), name=name) == "EACCES"


def test_helpers_of_kprobes_alone_are_not_offered() -> None:
    assert said(load(mov64_reg(R6, R1), call(14))) == "ok"
    assert said(load(call(58))) == "EINVAL"


@pytest.mark.parametrize("name", LATER)
def test_a_static_tracepoint_takes_programs_of_its_type_that_read_its_record(name: str) -> None:
    assert said(load(), *on("sched/sched_switch"), name=name) == 0
    assert said(load(), *on("sched/sched_switch"), Attach(EVENT, PROGRAM), name=name) == "EEXIST"
    assert said(FILTER, *on("sched/sched_switch"), name=name) == "EINVAL"
    assert said(load(ldx(DW, R0, R1, 8)), *on("sched/sched_switch"), name=name) == "?"
    for size, tracepoint in ((64, "sys_enter"), (24, "sys_exit")):
        assert said(load(ldx(DW, R0, R1, size - 8)), *on(f"raw_syscalls/{tracepoint}"), name=name) == 0
        assert said(load(ldx(DW, R0, R1, size)), *on(f"raw_syscalls/{tracepoint}"), name=name) == "EACCES"


def test_a_read_that_may_never_happen_leaves_open_whether_it_is_attached() -> None:
    maybe = load(ldx(DW, R6, R1, 8), jeq_imm(R6, 0, 1), ldx(DW, R0, R1, 64))
    assert said(maybe, *on("raw_syscalls/sys_enter")) == "?"


def test_how_far_a_program_reads_into_its_context() -> None:
    def reads(*pieces: Piece) -> Reads:
        return context_reads(program(*pieces, exit_()).instructions)

    assert reads(mov64_imm(R0, 0)) == Reads(0, 0)
    assert reads(mov64_reg(R6, R1), ldx(DW, R0, R6, 16), ldx(W, R0, R10, -4)) == Reads(24, 24)
    assert reads(ldx(DW, R0, R1, 8), jeq_imm(R0, 0, 1), ldx(W, R0, R1, 40)) == Reads(16, 44)
    assert reads(mov64_reg(R6, R1), add64_imm(R6, 8), ldx(DW, R0, R6, 8)).most > 1 << 13


def test_a_count_of_others_hits_is_some_number() -> None:
    counted = (FindTracepoint("point", "sched/sched_switch"), OpenEvent("event", Ref("point")), ReadCount(EVENT))
    for name in ("4.1", *LATER):
        prediction = predict(*counted, name=name)[-1]
        assert isinstance(prediction, Outcome) and isinstance(prediction.value, Unknown) and prediction.value.least == 0
