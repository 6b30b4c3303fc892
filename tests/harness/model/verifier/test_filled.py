# SPDX-License-Identifier: MIT
"""Memory that helpers fill, which need not be initialized since 4.8; looked at from 5.10 on."""

from __future__ import annotations

import pytest

from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R10,
    Helper,
    Piece,
    add64_imm,
    call,
    exit_,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
)
from harness.model.executor import ModelExecutor
from harness.script.operations import LoadProgram, ProgramType, Script
from harness.script.outcome import Outcome, Unpredicted
from tests.harness.model.running import environment


def read(size: int, *, at: int = -16, helper: Helper = Helper.PROBE_READ) -> Piece:
    return (mov64_reg(R1, R10), add64_imm(R1, at), mov64_imm(R2, size), mov64_imm(R3, 0), call(helper))


END = (mov64_imm(R0, 0), exit_())
ROWS: tuple[tuple[str, str | None, Piece], ...] = (
    ("nothing was there", None, read(16)),
    ("read afterwards", None, (read(16), ldx(DW, R0, R10, -8))),
    ("a part, and the rest was stored", None, (st(DW, R10, -8, 0), read(8), ldx(DW, R0, R10, -8))),
    ("over a pointer", None, (stx(DW, R10, -8, R10), read(16), ldx(DW, R0, R10, -8), add64_imm(R0, 1))),
    ("the other helpers", None, read(16, helper=Helper.GET_CURRENT_COMM)),
    ("too much", "open", read(17)),
    ("nothing", "open", read(0)),
    ("below the stack", "open", read(8, at=-520)),
)


@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12", "7.2"])
@pytest.mark.parametrize(("what", "said", "piece"), ROWS, ids=[row[0] for row in ROWS])
def test_what_a_helper_fills_need_not_be_there(what: str, said: str | None, piece: Piece, name: str) -> None:
    load = LoadProgram("program", ProgramType.KPROBE, program(piece, END))
    (verdict,) = ModelExecutor(environment(name)).run(Script("s", what, (load,)))
    if said == "open":
        assert isinstance(verdict, Unpredicted)
    else:
        assert isinstance(verdict, Outcome) and verdict.errno is None


def test_4_1_wants_it_initialized() -> None:
    load = LoadProgram("program", ProgramType.KPROBE, program(read(16), END))
    (verdict,) = ModelExecutor(environment("4.1")).run(Script("s", "", (load,)))
    assert isinstance(verdict, Outcome) and verdict.errno == "EACCES"
