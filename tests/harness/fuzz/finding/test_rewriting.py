# SPDX-License-Identifier: MIT
"""Other ways to show the same: what they make runs, and does what its name says."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from harness.core_scripts.parts import array, prctl, probed, read_u64
from harness.fuzz.finding.cutting import loads, size
from harness.fuzz.finding.rewriting import (
    as_filters,
    from_the_stack,
    numbers,
    with_edits,
    with_guesses,
    with_small_constants,
    with_verdicts,
    without_copies,
    without_functions,
)
from harness.fuzz.finding.values import values_of
from harness.fuzz.generate import cases
from harness.isa.assemble import (
    DW,
    R0,
    R1,
    R2,
    R7,
    R10,
    Helper,
    W,
    add64_reg,
    call,
    call_local,
    exit_,
    jeq_reg,
    ld_imm64,
    ldx,
    mov64_imm,
    mov64_reg,
    program,
    stx,
    xor64_reg,
)
from harness.isa.text import disassemble
from harness.script.operations import LoadProgram, Program, ProgramType, Ref, RunSocketFilter, Script
from harness.script.outcome import Outcome
from tests.harness.fuzz.finding.models import RIGHT, WHERE, mistaken


def filtering(code: Program) -> Script:
    loaded = LoadProgram("program", ProgramType.SOCKET_FILTER, code)
    return Script("script", "", (loaded, RunSocketFilter(Ref("program"), bytes(1024))))


def verdicts(scripts: Iterable[Script]) -> list[object]:
    """What filters return, in the model; the errno of those that are refused."""
    return [getattr(RIGHT.run(one)[-1], "value", None) for one in scripts]


def lines(script: Script) -> list[str]:
    ((_, load),) = loads(script)
    return [line.partition(") ")[2] for line in disassemble(load.program).splitlines()]


def test_numbers_take_the_place_of_what_computed_them_and_nothing_changes() -> None:
    """Held for generated cases with one program, with all numbers at once."""
    replaced = 0
    for script in cases(5, 60, WHERE.rules):
        if len(loads(script)) != 1 or not all(isinstance(one, Outcome) for one in RIGHT.run(script)):
            continue
        edits = numbers(script, values_of(RIGHT, script))
        changed = with_edits(script, edits) if edits else None
        if changed:
            replaced += len(edits)
            assert RIGHT.run(changed) == RIGHT.run(script), script.name
    assert replaced > 500


def test_a_load_is_one_from_the_stack() -> None:
    code = program(stx(DW, R10, -16, R1), mov64_reg(R2, R10), ldx(W, R7, R2, -16), mov64_reg(R0, R7), exit_())
    made = [lines(one)[2:5] for one in from_the_stack(filtering(code), {2: 0x1FFFFFFFF, 3: 5})]
    assert made[0] == ["r7 = 0x1ffffffff ll", "*(u64 *)(r10 -512) = r7", "r7 = *(u32 *)(r10 -512)"]
    assert made[1][2] == "r7 = *(u32 *)(r10 -8)"  # where that place is taken


@pytest.mark.parametrize(("value", "told"), [(7, {7}), (0x123456789ABCDEF0, {1024, 0x2F0, 0x12})])
def test_verdicts_tell_every_part_of_a_number(value: int, told: set[int]) -> None:
    code = program(ld_imm64(R7, value), mov64_imm(R1, 0), stx(DW, R10, -8, R7), mov64_imm(R0, 9), exit_())
    assert told <= set(verdicts(with_verdicts(filtering(code))))


def test_the_first_verdicts_are_those_of_the_first_instructions() -> None:
    code = program(mov64_imm(R7, 1), add64_reg(R7, R7), mov64_reg(R0, R7), exit_())
    first = next(iter(with_verdicts(filtering(code))))
    assert lines(first) == ["r7 = 1", "r0 = r7", "exit"]


def test_a_probe_becomes_a_filter() -> None:
    code = program(mov64_imm(R0, 1), exit_())
    script = Script("script", "", (array("map"), *probed(code), prctl(), read_u64("map")))
    (changed,) = as_filters(script)
    assert [type(one).__name__ for one in changed.operations] == [
        "CreateMap",
        "LoadProgram",
        "RunSocketFilter",
        "LookupElement",
    ]
    assert changed.operations[1].type is ProgramType.SOCKET_FILTER  # type: ignore[union-attr]
    assert not list(as_filters(changed))


def test_a_function_goes_with_its_calls() -> None:
    code = program(
        mov64_imm(R7, 1), call_local("one"), call_local("two"), mov64_reg(R0, R7), exit_(),
        "one", mov64_imm(R0, 1), exit_(), "two", mov64_imm(R0, 2), exit_(),
    )  # fmt: skip
    made = list(without_functions(filtering(code)))
    assert [size(one) for one in made] == [6, 6]
    assert verdicts(made) == [1, 1]
    assert verdicts(without_functions(made[0])) == [1]


def test_a_register_that_is_copied_to_r0_is_r0() -> None:
    constant, jump = ld_imm64(R1, 1 << 40), jeq_reg(R1, R7, "exit")
    code = program(mov64_imm(R7, 8), constant, jump, stx(DW, R10, -8, R1), mov64_reg(R0, R1), "exit", exit_())
    (changed,) = without_copies(filtering(code))
    assert lines(changed)[1:] == ["r0 = 0x10000000000 ll", "if r0 == r7 goto pc+1", "*(u64 *)(r10 -8) = r0", "exit"]


def test_guesses_stand_for_whatever_was_computed() -> None:
    code = program(mov64_imm(R7, 8), ldx(W, R1, R10, -4), call(Helper.KTIME_GET_NS), mov64_reg(R0, R7), exit_())
    made = [lines(one) for one in with_guesses(filtering(code))]
    assert {(at, one[at]) for one in made for at in (1, 2, 3)} >= {
        *((1, f"r1 = {guess}") for guess in (0, 1, -1)),
        *((2, f"r0 = {guess}") for guess in (0, 1, -1)),
        *((3, f"r0 = {guess}") for guess in (0, 1, -1)),
    }
    assert len(made) == 9


def test_what_is_no_register_is_not_renamed() -> None:
    """`src` of a call says whose function it is, that of a constant what it stands for."""
    code = program(mov64_imm(R1, 8), call_local("one"), mov64_reg(R0, R1), exit_(), "one", exit_())
    (changed,) = without_copies(filtering(code))
    assert [line for line in lines(changed) if "call" in line] == ["call pc+1"]


def test_values_are_those_of_the_model_that_is_given() -> None:
    code = program(mov64_imm(R7, 6), mov64_imm(R1, 3), xor64_reg(R7, R1), mov64_reg(R0, R7), exit_())
    assert values_of(RIGHT, filtering(code)) == {0: 6, 1: 3, 2: 5, 3: 5}
    assert values_of(mistaken("xor64_reg"), filtering(code)) == {0: 6, 1: 3, 2: 6, 3: 6}
    twice = Script("script", "", (*filtering(code).operations, LoadProgram("other", ProgramType.SOCKET_FILTER, code)))
    assert values_of(RIGHT, twice) == {}


def test_a_large_constant_becomes_a_small_one() -> None:
    code = program(ld_imm64(R0, 1 << 40), exit_())
    assert [lines(one)[0] for one in with_small_constants(filtering(code))] == [
        "r0 = 0",
        "r0 = 1",
        "r0 = -1",
        "r0 = 2",
        "r0 = -2",
    ]
