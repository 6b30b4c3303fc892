# SPDX-License-Identifier: MIT
"""Program arrays and tail calls, as scripts see them."""

from __future__ import annotations

import pytest

from harness.clauses.parts import PACKET
from harness.isa.assemble import (
    R0,
    R1,
    R2,
    R3,
    Helper,
    Piece,
    call,
    exit_,
    ld_map,
    lsh64_reg,
    mov64_imm,
    mov64_reg,
    program,
)
from harness.isa.opcodes import R6
from harness.script.operations import (
    Close,
    CreateMap,
    LoadProgram,
    LookupElement,
    MapType,
    Operation,
    ProgramType,
    Ref,
    RunSocketFilter,
    UpdateElement,
)
from harness.script.outcome import Outcome, Unknown
from tests.harness.model.scripts import predict, said

ARRAY = CreateMap("array", MapType.PROG_ARRAY, 4, 4, 2)


def filter(name: str, *body: Piece) -> LoadProgram:
    return LoadProgram(name, ProgramType.SOCKET_FILTER, program(mov64_reg(R6, R1), body, exit_()))


def tail_call(index: int = 0, array: str = "array") -> Piece:
    return (mov64_reg(R1, R6), ld_map(R2, array), mov64_imm(R3, index), call(Helper.TAIL_CALL))


def put(program: str, index: int = 0, array: str = "array") -> UpdateElement:
    return UpdateElement(Ref(array), index.to_bytes(4, "little"), Ref(program))


def arrives(*operations: Operation, name: str = "6.1", **facts: object) -> object:
    return said(predict(*operations, RunSocketFilter(Ref("caller"), PACKET), name=name, **facts)[-1])


CALLER = filter("caller", tail_call(), mov64_imm(R0, 2))
CALLEE = filter("callee", mov64_imm(R0, 5))


def test_another_program_takes_over() -> None:
    assert arrives(ARRAY, CALLER) == 2
    assert arrives(ARRAY, CALLER, CALLEE, put("callee")) == 5
    assert arrives(ARRAY, CALLER, CALLEE, put("callee", 1)) == 2
    assert arrives(ARRAY, CALLER, CALLEE, put("callee"), Close(Ref("callee"))) == 5


def test_a_program_that_calls_itself_ends() -> None:
    assert arrives(ARRAY, CALLER, put("caller")) == 2


def test_when_a_worker_empties_the_array_is_not_known() -> None:
    closed = (ARRAY, CALLER, CALLEE, put("callee"), Close(Ref("array")))
    assert arrives(*closed) == "?"
    assert arrives(ARRAY, CALLER, CALLEE, Close(Ref("array"))) == 2


def test_doubt_goes_through_arrays_that_lead_to_each_other() -> None:
    hits = CreateMap("hits", MapType.ARRAY, 4, 8, 1)
    random = (call(Helper.GET_PRANDOM_U32), mov64_imm(R1, 1), lsh64_reg(R1, R0))
    lost = filter("lost", ld_map(R1, "hits"), tail_call(), *random)
    steps = (ARRAY, hits, lost, CALLER, put("lost"), put("caller", 1), RunSocketFilter(Ref("caller"), PACKET))
    read = LookupElement(Ref("hits"), bytes(4), 8)
    *_, ran, content = predict(*steps, read, name="6.1")
    assert said(content) == "?" and isinstance(ran, Outcome)
    assert isinstance(ran.value, Unknown) and (ran.value.least, ran.value.most) == (0, len(PACKET))


@pytest.mark.parametrize(("name", "errno"), [("4.1", "EINVAL"), ("5.10", "ok")])
def test_arrays_came_after_4_1(name: str, errno: str) -> None:
    assert said(predict(ARRAY, name=name)[0]) == errno
