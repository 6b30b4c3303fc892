# SPDX-License-Identifier: MIT
"""Functions of a program's own, with types: which load, and what ends them early."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.core_scripts.parts import array, element, u32, u64
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R3,
    R6,
    R9,
    R10,
    B,
    Function,
    Helper,
    Piece,
    add64_imm,
    add64_reg,
    call,
    call_local,
    exit_,
    jeq_imm,
    jge_imm,
    ld_abs,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    st,
    stx,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class, Jump
from harness.model.environment import Environment
from harness.model.eras import ERAS
from harness.model.executor import ModelExecutor
from harness.script.operations import (
    CreateMap,
    LoadProgram,
    LookupElement,
    MapType,
    Operation,
    Program,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
    UpdateElement,
)
from harness.script.outcome import Outcome, Prediction, Unpredicted
from tests.harness.model.running import environment

PACKET = bytes(range(64))
TAIL_CALL = (ld_map(R2, "programs"), mov64_imm(R3, 0), call(Helper.TAIL_CALL))
ARRAY = CreateMap("programs", MapType.PROG_ARRAY, 4, 4, 1)


def filter_(code: Program, name: str = "program") -> LoadProgram:
    return LoadProgram(name, ProgramType.SOCKET_FILTER, code)


def code(*main: Piece, function: Piece) -> Program:
    inner = (Function("function"), mov64_reg(R6, R1), function, exit_())
    return program(Function("main"), mov64_reg(R6, R1), main, exit_(), inner)


def predict(*operations: Operation, name: str = "6.12", arch: str = "x86_64", engine: str = "jit") -> list[Prediction]:
    return ModelExecutor(of(name, arch, engine)).run(Script("s", "", operations))


def of(name: str, arch: str, engine: str) -> Environment:
    if name in ERAS:
        return environment(name, arch, engine=engine)
    return Environment(era=name, arch=arch, version_code=0x50400, engine=engine)


def errno(prediction: Prediction) -> str | None:
    assert isinstance(prediction, Outcome), prediction
    return prediction.errno


def value(prediction: Prediction) -> object:
    assert isinstance(prediction, Outcome), prediction
    return prediction.value


PLAIN = code(call_local("function"), function=mov64_imm(R0, 5))
TAIL = code(call_local("function"), function=(TAIL_CALL, mov64_imm(R0, 9)))
PACKETS = code(call_local("function"), function=(ld_abs(B, 64), mov64_imm(R0, 9)))


@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12", "7.2"])
def test_types_must_fit_the_functions(name: str) -> None:
    (first, main), (second, function) = PLAIN.functions
    assert errno(predict(filter_(PLAIN), name=name)[0]) is None
    for wrong in (
        ((first, main),),
        ((first, main), (second + 1, function)),
        ((first, main), (second, function), (second + 1, "third")),
        ((second, function), (first, main)),
    ):
        assert errno(predict(filter_(replace(PLAIN, functions=wrong)), name=name)[0]) == "EINVAL"
    alone = replace(program(mov64_imm(R0, 0), exit_()), functions=((0, "main"),))
    assert errno(predict(filter_(alone), name=name)[0]) is None


@pytest.mark.parametrize("untyped", [TAIL, PACKETS])
def test_functions_that_may_end_early_need_types(untyped: Program) -> None:
    assert errno(predict(ARRAY, filter_(replace(untyped, functions=())))[1]) == "EINVAL"
    assert errno(predict(ARRAY, filter_(untyped))[1]) is None


@pytest.mark.parametrize("name", ["5.10", "6.1", "6.12", "7.2"])
@pytest.mark.parametrize("beyond", [0, 1, 100])
def test_a_function_behind_the_end_is_not_there(name: str, beyond: int) -> None:
    called = Instruction(Class.JMP | Jump.CALL, src=1, imm=2 + beyond)
    wanted = filter_(program(mov64_imm(R0, 0), called, mov64_imm(R2, 7), exit_()))
    said = predict(wanted, name=name)[0]
    assert isinstance(said, Unpredicted) or errno(said) == "EINVAL"


def test_a_release_that_nobody_looked_at_says_nothing_of_them() -> None:
    assert isinstance(predict(ARRAY, filter_(replace(PACKETS, functions=())), name="5.4")[1], Unpredicted)


def test_no_types_before_5_0() -> None:
    alone = replace(program(mov64_imm(R0, 0), exit_()), functions=((0, "main"),))
    assert errno(predict(filter_(alone), name="4.1")[0]) == "EINVAL"
    assert errno(predict(filter_(alone), name="4.19")[0]) == "EINVAL"


@pytest.mark.parametrize(
    ("name", "arch", "engine", "mixes"),
    [
        ("5.10", "x86_64", "jit", True),
        ("5.10", "arm64", "jit", False),
        ("6.1", "arm64", "jit", True),
        ("7.2", "riscv64", "jit", False),
        ("7.2", "x86_64", "interp", False),
    ],
)
def test_some_jits_take_tail_calls_beside_functions(name: str, arch: str, engine: str, mixes: bool) -> None:
    outside = code(*(call_local("function"), mov64_reg(R1, R6), TAIL_CALL, mov64_imm(R0, 0)), function=mov64_imm(R0, 5))
    for one in (TAIL, outside):
        said = predict(ARRAY, filter_(one), name=name, arch=arch, engine=engine)[1]
        assert errno(said) == (None if mixes else "EINVAL")


def test_deep_callers_of_a_tail_call_are_not_predicted() -> None:
    deep = code(st(DW, R10, -256, 0), mov64_reg(R1, R6), call_local("function"), function=(TAIL_CALL, mov64_imm(R0, 9)))
    assert isinstance(predict(ARRAY, filter_(deep))[1], Unpredicted)


def test_a_tail_call_ends_the_function_and_nothing_else() -> None:
    """The caller keeps R6 to R9 and its stack, and its own maps."""
    other = program(mov64_imm(R9, 1), st(DW, R10, -8, 1), mov64_imm(R0, 5), exit_())
    main = code(
        *(mov64_imm(R9, 40), st(DW, R10, -8, 2), call_local("function"), ldx(DW, R1, R10, -8)),
        *(add64_reg(R0, R1), add64_reg(R0, R9)),
        function=(TAIL_CALL, mov64_imm(R0, 9)),
    )
    put = UpdateElement(Ref("programs"), u32(0), Ref("other"))
    said = predict(ARRAY, filter_(other, "other"), filter_(main), put, RunSocketFilter(Ref("program"), PACKET))
    assert value(said[-1]) == 47
    without = predict(ARRAY, filter_(main), RunSocketFilter(Ref("program"), PACKET))
    assert value(without[-1]) == 51


@pytest.mark.parametrize(("calls", "runs"), [(1, 34), (2, 34), (3, 34)])
def test_all_frames_share_one_budget_of_tail_calls(calls: int, runs: int) -> None:
    count = (element("hits"), ldx(DW, R1, R0, 0), jge_imm(R1, 100, "out"), add64_imm(R1, 1), stx(DW, R0, 0, R1))
    again = [(mov64_reg(R1, R6), call_local("function")) for _ in range(calls)]
    counting = code(count, again, "out", mov64_imm(R0, 9), function=(TAIL_CALL, mov64_imm(R0, 0)))
    said = predict(
        *(ARRAY, array("hits"), filter_(counting), UpdateElement(Ref("programs"), u32(0), Ref("program"))),
        *(RunSocketFilter(Ref("program"), PACKET), LookupElement(Ref("hits"), u32(0), 8)),
    )
    assert value(said[-2]) == 9
    assert isinstance(said[-1], Outcome) and said[-1].data == u64(runs)


def test_a_load_from_behind_the_packet_ends_the_function() -> None:
    main = code(call_local("function"), add64_imm(R0, 3), function=(ld_abs(B, 64), mov64_imm(R0, 9)))
    inside = code(call_local("function"), add64_imm(R0, 3), function=(ld_abs(B, 63), mov64_imm(R0, 9)))
    run = RunSocketFilter(Ref("program"), PACKET)
    assert value(predict(filter_(main), run)[-1]) == 3
    assert value(predict(filter_(inside), run)[-1]) == 12


def refused_if_ended(*early: Piece) -> Program:
    """The caller does what is refused where the function does not return the 1 of its end."""
    return code(
        *(mov64_reg(R1, R6), call_local("function"), jeq_imm(R0, 1, "fell"), ldx(DW, R0, R10, 8), exit_(), "fell"),
        function=(early, mov64_imm(R0, 1)),
    )


@pytest.mark.parametrize(
    ("early", "name", "verdict"),
    [
        (TAIL_CALL, "6.12", None),
        (TAIL_CALL, "7.2", "EACCES"),
        (ld_abs(B, 64), "5.10", None),
        (ld_abs(B, 64), "6.6", "open"),
        (ld_abs(B, 64), "6.12", "EACCES"),
        (ld_abs(B, 64), "7.2", "EACCES"),
    ],
)
def test_later_verifiers_follow_the_early_end(early: Piece, name: str, verdict: str | None) -> None:
    said = predict(ARRAY, filter_(refused_if_ended(early)), name=name)[1]
    assert verdict == ("open" if isinstance(said, Unpredicted) else errno(said))
