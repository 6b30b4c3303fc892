# SPDX-License-Identifier: MIT
"""Programs whose verdict hangs on whether every verifier comes to an instruction: a trial shows it."""

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
    R10,
    B,
    Piece,
    add64_imm,
    and64_imm,
    atomic,
    call,
    call_local,
    exit_,
    jeq32_imm,
    jeq_imm,
    jgt_imm,
    jgt_reg,
    jne32_imm,
    jne_imm,
    jne_reg,
    jset_imm,
    jsgt_reg,
    ld_map,
    ldx,
    mov64_imm,
    mov64_reg,
    mul64_imm,
    program,
    stx,
)
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Atomic
from harness.model.executor import ModelExecutor
from harness.model.interface.search import reached
from harness.script.operations import CreateMap, LoadProgram, MapType, Operation, ProgramType, Script
from harness.script.outcome import Either, Outcome, Prediction, Unpredicted
from tests.harness.model.running import environment
from tests.harness.model.scripts import FIRE, MAP, element, last, load, predict, read
from tests.harness.model.test_freeze import CONSTANTS, FREEZE, STORE

FOREIGN = (mov64_imm(R0, 0), exit_())
RESERVED = Instruction(0xBF, R0, R1, 0, 1)
"""A move with an `imm`: EINVAL where a path comes to it."""

EXCHANGE = (
    mov64_imm(R2, 6),
    mov64_imm(R3, 6),
    mov64_reg(R1, R0),
    mov64_imm(R0, 0),
    atomic(DW, Atomic.CMPXCHG, R1, 0, R2),
)


def _behind(*condition: Piece, end: Piece = RESERVED) -> tuple[Piece, ...]:
    """The end is reached by programs that find a number in the map, and behind a condition."""
    return (
        mov64_reg(R6, R1),
        *element(0),
        ldx(DW, R2, R0, 0),
        ldx(DW, R3, R6, 0),
        mov64_imm(R0, 0),
        add64_imm(R2, 1),  # facts of numbers that any may be end here
        *condition,
        end,
        "out",
        *FOREIGN,
    )


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ((jsgt_reg(R2, R3, "next"), mov64_imm(R1, 0), "next"), "EINVAL"),
        ((mov64_reg(R2, R3), jeq_imm(R2, 0x7FFF1234, "on"), *FOREIGN, "on"), "EINVAL"),
        ((mul64_imm(R2, 7), add64_imm(R2, 9), jeq_imm(R2, 77, "on"), *FOREIGN, "on"), "EINVAL"),
        ((jgt_imm(R2, 9, "out"), jne_imm(R2, 8, "out"), jne_reg(R2, R3, "out")), "EINVAL"),
        ((mov64_imm(R3, 1), and64_imm(R2, 1), jsgt_reg(R2, R3, "on"), *FOREIGN, "on"), "ok"),
        ((and64_imm(R2, 6), jeq_imm(R2, 1, "on"), *FOREIGN, "on"), "?"),
    ],
)
def test_what_a_trial_comes_to_is_refused(condition: tuple[Piece, ...], said: object) -> None:
    """The last two are reached by no input; of the first of them every verifier knows that."""
    program = load("program", *_behind(*condition))
    assert last(MAP, program, name="6.1") == said


@pytest.mark.parametrize(
    ("before", "said"),
    [
        ((call(5), jne_imm(R0, 77, "out")), "EINVAL"),
        ((stx(DW, R0, 0, R0), ldx(DW, R1, R0, 0), jne_imm(R1, 77, "out")), "EINVAL"),
        ((mov64_reg(R1, R0), jeq32_imm(R1, 0, "on"), mov64_imm(R2, 1), "on"), "EINVAL"),
        ((mov64_reg(R1, R0), jne32_imm(R1, 0, "out")), "?"),
    ],
)
def test_trials_with_what_no_script_decides(before: tuple[Piece, ...], said: object) -> None:
    """Others may write to the map meanwhile; of addresses a trial shows what it comes to whatever they are."""
    program = load("program", *_behind(jgt_reg(R2, R3, "next"), "next", *element(0), *before))
    assert last(MAP, program, name="6.1") == said


def test_a_trial_finds_an_element_of_a_hash() -> None:
    hashes = replace(MAP, type=MapType.HASH)
    program = load("program", *_behind(jsgt_reg(R2, R3, "next"), "next"))
    assert last(hashes, program, name="6.1") == "EINVAL"


@pytest.mark.parametrize(
    ("hidden", "said"),
    [
        ((mov64_imm(R2, 6), jset_imm(R2, 4, "out")), "ok"),
        ((mov64_imm(R2, 6), *element(1), stx(DW, R0, 0, R0), ldx(DW, R2, R0, 0), jset_imm(R2, 4, "out")), "EINVAL"),
        ((*EXCHANGE, jset_imm(R3, 4, "out")), "ok"),
        ((*EXCHANGE, jset_imm(R2, 4, "out")), "?"),
    ],
)
def test_what_no_verifier_comes_to(hidden: tuple[Piece, ...], said: object) -> None:
    """An exchange is nothing that the proof looks into, and hides nothing but what it may have changed."""
    program = load("program", mov64_reg(R6, R1), *element(0), *hidden, mov64_imm(R1, 0), RESERVED, "out", *FOREIGN)
    assert last(MAP, program, name="6.1") == said


@pytest.mark.parametrize(("name", "engine", "said"), [("5.10", "interp", "EINVAL"), ("5.10", "jit", "ok")])
def test_the_interpreter_takes_no_function_with_a_tail_call_that_nobody_comes_to(
    name: str, engine: str, said: object
) -> None:
    """fixup_call_args(): what no path comes to counts there as well."""
    table = CreateMap("table", MapType.PROG_ARRAY, 4, 4, 1)
    tail_call = (mov64_imm(R2, 6), jset_imm(R2, 4, "out"), ld_map(R2, "table"), mov64_imm(R3, 0), call(12))
    program = load("program", call_local("function"), *FOREIGN, "function", *tail_call, "out", *FOREIGN)
    typed = replace(program, program=replace(program.program, functions=((0, "main"), (3, "function"))))
    assert last(table, typed, name=name, engine=engine) == said


def test_the_interpreter_takes_a_program_whose_functions_nobody_calls() -> None:
    """opt_remove_dead_code() removes them: seen on 5.10, 6.1 and 6.12."""
    table = CreateMap("table", MapType.PROG_ARRAY, 4, 4, 1)
    dead = (mov64_imm(R2, 6), jset_imm(R2, 4, "out"), call_local("function"), "out", *FOREIGN)
    tail_call = (ld_map(R2, "table"), mov64_imm(R3, 0), call(12))
    program = load("program", *dead, "function", *tail_call, *FOREIGN)
    typed = replace(program, program=replace(program.program, functions=((0, "main"), (5, "function"))))
    assert last(table, typed, name="5.10", engine="interp") == "ok"


def test_a_call_for_the_jit_that_a_trial_comes_to() -> None:
    where = {"name": "7.2", "arch": "arm64"}
    program = load("program", *_behind(jsgt_reg(R2, R3, "next"), mov64_imm(R1, 0), "next", end=call(8)))
    assert last(MAP, program, **where, engine="interp") == "EINVAL"
    assert last(MAP, program, **where, engine="jit") == "ok"


def test_a_trial_leaves_no_trace() -> None:
    """It stores into maps of its own."""
    store = (*element(1), Instruction(0x7A, R0, 0, 0, 7), mov64_reg(R1, R6))
    program = load("program", *_behind(jsgt_reg(R2, R3, "next"), mov64_imm(R1, 0), "next", *store))
    operations: tuple[Operation, ...] = (MAP, program, FIRE, read(1))
    said = predict(*operations, name="6.1")
    assert [getattr(one, "errno", "?") for one in said[:2]] == [None, "EINVAL"]
    assert getattr(said[3], "data", None) == bytes(8)


@pytest.mark.parametrize(("engine", "said"), [("interp", "EINVAL"), ("jit", "ok")])
def test_what_no_verifier_comes_to_makes_no_other_fault_good(engine: str, said: object) -> None:
    """A generated program: what is refused is not reached, and a call that only a JIT can make is."""
    dead = (mov64_imm(R0, 0), mov64_imm(R2, 6), jset_imm(R2, 4, "on"), ldx(DW, R1, R0, 0), "on")
    program = load("program", mov64_reg(R6, R1), *dead, call(8), *FOREIGN)
    assert last(MAP, program, name="7.2", arch="arm64", engine=engine) == said


def errnos(prediction: Prediction) -> object:
    """The errno, or those of several outcomes; None for success."""
    if isinstance(prediction, Either):
        return {one.errno for one in prediction.outcomes}
    return prediction.errno if isinstance(prediction, Outcome) else prediction


def test_of_a_load_that_no_other_lane_can_judge_it_is_said_what_it_may_give() -> None:
    """Where the kernel's answer is known, so that it is known what comes of the program."""
    program = load("program", *_behind(and64_imm(R2, 6), jeq_imm(R2, 1, "on"), *FOREIGN, "on", end=call(8)))
    model = ModelExecutor(environment("7.2", "arm64", engine="interp"))
    script = Script("load", "", (MAP, program))
    seen = Outcome(value=5)
    assert errnos(model.run(script, None, (seen, seen))[1]) == {None, "EINVAL"}
    assert isinstance(model.run(script)[1], Unpredicted)


def test_a_call_that_only_a_jit_can_make_leaves_its_lane_alone_too() -> None:
    paths = [piece for one in range(20) for piece in (ldx(B, R6, R1, 0), jeq_imm(R6, one, 1), mov64_imm(R6, 0))]
    script = Script("load", "", (load("program", *paths, call(8), exit_()),))
    model = ModelExecutor(environment("7.2", "arm64", engine="jit"))
    assert errnos(model.run(script, None, (Outcome(value=5),))[0]) == {None, "E2BIG"}


@pytest.mark.parametrize(
    ("certain", "engine", "said"),
    [
        (True, "interp", "EINVAL"),
        (True, "jit", {None, "E2BIG"}),
        (False, "interp", {None, "EINVAL", "E2BIG"}),
        (False, "jit", {None, "E2BIG"}),
    ],
)
def test_a_program_with_too_many_paths_loads_or_is_too_big(certain: bool, engine: str, said: object) -> None:
    """On an engine that takes its tail call at all, to which every verifier comes first, or none that knows enough."""
    paths = [piece for one in range(20) for piece in (ldx(B, R6, R1, 0), jeq_imm(R6, one, 1), mov64_imm(R6, 0))]
    never = (ldx(B, R6, R1, 0), and64_imm(R6, 3), jgt_imm(R6, 4, "call"))
    assert errnos(_with_tail_call(paths if certain else [*never, *paths, *FOREIGN], engine)) == said


@pytest.mark.parametrize(
    ("depth", "engine", "said"),
    [
        (-224, "interp", "EINVAL"),
        (-224, "jit", None),
        (-232, "interp", {"EINVAL", "EACCES"}),
        (-232, "jit", {None, "EACCES"}),
    ],
)
def test_a_tail_call_behind_much_stack_may_be_refused_for_it(depth: int, engine: str, said: object) -> None:
    """check_max_stack_depth() asks before the engine is asked; how much a kernel rounds up is its own matter."""
    assert errnos(_with_tail_call([Instruction(0x7A, R10, 0, depth)], engine)) == said


def _with_tail_call(before: list[Piece], engine: str) -> Prediction:
    """What is said of a program that calls a function with a tail call, where the kernel's answer is known."""
    table = CreateMap("table", MapType.PROG_ARRAY, 4, 4, 1)
    tail_call = (ld_map(R2, "table"), mov64_imm(R3, 0), call(12))
    code = program(*before, "call", call_local("function"), *FOREIGN, "function", *tail_call, *FOREIGN)
    begin = len(code.instructions) - 6
    typed = LoadProgram("program", ProgramType.KPROBE, replace(code, functions=((0, "main"), (begin, "function"))))
    model, seen = ModelExecutor(environment("5.10", engine=engine)), Outcome(value=5)
    return model.run(Script("load", "", (table, typed)), None, (seen, seen))[1]


def test_a_trial_goes_on_behind_a_call_that_only_a_jit_can_make() -> None:
    """So does the verifier: whether the engine can make it is asked afterwards."""
    code = program(call(8), mov64_imm(R0, 0), exit_()).instructions
    assert reached(environment("7.2", "arm64", engine="interp"), code, {}, {1})


def test_a_trial_changes_no_map_that_is_constant() -> None:
    """The value is 5, and 6 is never more than 9: whether a path comes to the end is what the verifier knows."""
    program = load("program", *_behind(jgt_imm(R2, 9, "on"), *FOREIGN, "on"))
    assert last(CONSTANTS, STORE, FREEZE, program, name="6.1") != "EINVAL"
    assert last(CONSTANTS, STORE, program, name="6.1") == "EINVAL", "it may have any value until it is frozen"
