# SPDX-License-Identifier: MIT
"""Two lanes against each other: equal where both did the same, whatever came from outside; else the instruction."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R1, R2, R6, R7, R10
from harness.lockstep.findings import lines
from harness.lockstep.pairing import against
from harness.lockstep.taken import Taken, TakenStep, read, taken, write
from harness.model.value import M64
from harness.script.operations import Close, LoadProgram, ProgramType, Ref, RunSocketFilter, Script
from hil.errors import UserError
from tests.harness.lockstep.faults import BODY, SCRIPT
from tests.harness.lockstep.pretended import pretend
from tests.harness.lockstep.test_comparing import LANE

CALLED = asm.program(
    asm.mov64_reg(R6, R1),
    asm.call(7),
    asm.mov64_reg(R7, R0),
    asm.add64_imm(R7, 5),
    asm.mul64_imm(R7, 3),
    asm.mov64_imm(R0, 1),
    asm.exit_(),
)
CALLING = Script(
    "calling", "", (LoadProgram("it", ProgramType.SOCKET_FILTER, CALLED), RunSocketFilter(Ref("it"), b"\0" * 64))
)
Change = Callable[[TakenStep], TakenStep]


def lane(name: str, script: Script = SCRIPT) -> Taken:
    return taken(name, script.name, pretend(LANE, script))


def changed(one: Taken, numbers: range, change: Change) -> Taken:
    """The lane with other steps."""
    (run,) = one.runs
    return replace(one, runs=(tuple(change(step) if at in numbers else step for at, step in enumerate(run)),))


def with_register(number: int, value: Callable[[int], int]) -> Change:
    def change(step: TakenStep) -> TakenStep:
        old = step.registers[number]
        assert old is not None
        return replace(step, registers=(*step.registers[:number], value(old) & M64, *step.registers[number + 1 :]))

    return change


def with_stack(place: int) -> Change:
    def change(step: TakenStep) -> TakenStep:
        assert step.stack
        stack = bytearray(step.stack)
        stack[place] ^= 1
        return replace(step, stack=bytes(stack))

    return change


def test_lanes_that_do_the_same_are_equal() -> None:
    found = against(lane("a"), lane("b"))
    assert not found.difference and not found.note and not found.left_out
    assert (found.runs, found.steps) == (1, 25)
    assert found.values > 100


@pytest.mark.parametrize("at", range(1, 25))
def test_an_instruction_that_gives_another_value_is_named(at: int) -> None:
    """From a step on, what the step before it wrote is another number."""
    right = lane("b")
    (run,) = right.runs
    before, here = run[at - 1], run[at]
    numbers = [n for n in range(10) if before.registers[n] != here.registers[n]]
    change = with_register(numbers[0], lambda old: old ^ 1) if numbers else with_register(R0, lambda old: old ^ 1)
    found = against(lane("a"), changed(right, range(at, 25), change)).difference
    assert found and found.instruction == before.index and found.sides == ("a", "b")
    assert found.what == f"R{numbers[0] if numbers else 0}"


def test_a_slot_of_the_stack_is_named() -> None:
    index = BODY.instructions.index(asm.stx(DW, R10, -8, R7))
    (run,) = lane("b").runs
    at = next(number for number, step in enumerate(run) if step.index == index)
    found = against(lane("a"), changed(lane("b"), range(at + 1, 25), with_stack(504))).difference
    assert found and (found.instruction, found.what) == (index, "the stack at r10-8")


def test_a_pointer_may_be_another_one_and_is_followed() -> None:
    """Both lanes have their stack elsewhere; a copy must be as far apart as the original."""
    right = lane("b")
    (run,) = right.runs
    copied = next(number for number, step in enumerate(run) if BODY.instructions[step.index] == asm.mov64_reg(R1, R10))
    moved = changed(right, range(25), with_register(R10, lambda old: old + 0x4000))
    found = against(lane("a"), changed(moved, range(copied + 1, 25), with_register(R1, lambda old: old + 0x4000)))
    assert not found.difference and found.pointers > 20
    wrong = against(lane("a"), changed(moved, range(copied + 1, 25), with_register(R1, lambda old: old + 0x4008)))
    assert wrong.difference and wrong.difference.instruction == run[copied].index


def test_what_a_helper_gives_may_be_another_value_and_what_follows_too() -> None:
    left = lane("a", CALLING)
    right = changed(left, range(2, 6), with_register(R0, lambda old: old + 1))
    right = changed(right, range(3, 5), with_register(R7, lambda old: old + 1))
    right = changed(right, range(5, 7), with_register(R7, lambda old: old + 3))
    found = against(left, right)
    assert not found.difference
    assert found.left_out == ("1 values: the result of a helper may be another one on each lane",)
    wrong = against(left, changed(right, range(4, 5), with_register(R7, lambda old: old + 1))).difference
    assert wrong and (wrong.instruction, wrong.what) == (3, "R7")


def test_another_way_with_the_same_inputs_is_named() -> None:
    right = lane("b")
    (run,) = right.runs
    at = next(n for n, step in enumerate(run) if BODY.instructions[step.index].code == asm.jgt_imm(R2, 1, 1).code)
    found = against(lane("a"), replace(right, runs=((*run[: at + 1], *run[at + 2 :]),))).difference
    assert found and found.what == "the next instruction" and found.instruction == run[at].index


def test_runs_without_a_counterpart_are_told() -> None:
    right = lane("b")
    found = against(lane("a"), replace(right, runs=(*right.runs, *right.runs)))
    assert not found.difference and found.left_out == ("1 runs: it ran 1 times on a, 2 times on b",)
    assert against(lane("a"), replace(right, runs=())).note == "none of the programs ran on both"


@pytest.mark.parametrize(("left", "right"), [((), ()), ((0, 1), ()), ((), (0, 1))])
def test_runs_without_an_instruction_in_common_are_not_equal(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    """The instructions of each that both kernels kept."""

    def with_only(one: Taken, ran: tuple[int, ...]) -> Taken:
        (run,) = one.runs
        others = tuple(step for step in run if step.index in ran or step.index > 1)
        return replace(one, kept={name: frozenset({0, 1}) for name in one.kept}, runs=(others,))

    found = against(with_only(lane("a"), left), with_only(lane("b"), right))
    assert found.sentence == "not compared: no instruction ran on both" and not found.difference
    assert found.left_out == ("1 runs: on one lane or both, none of the instructions ran that both kernels kept",)


def test_other_programs_cannot_be_compared() -> None:
    with pytest.raises(UserError, match="different programs"):
        against(lane("a"), lane("b", CALLING))


def test_the_text_names_both_lanes() -> None:
    wrong = changed(lane("b"), range(5, 25), with_register(R7, lambda old: old ^ 1))
    text = list(lines(against(lane("a"), wrong), "b"))
    assert text[0].startswith("lockstep with b: 1 runs, ") and text[0].endswith(": different")
    assert text[2].startswith("R7: a 0x") and ", b 0x" in text[2]


def test_a_lane_is_read_as_it_was_written(tmp_path: Path) -> None:
    one = lane("a")
    write(tmp_path / "file", one)
    assert read(tmp_path / "file") == one


@pytest.mark.parametrize("content", [b"", b"text", *(gzip.compress(one, mtime=0) for one in (b"{}", b"[1", b"[]"))])
def test_what_is_no_record_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UserError, match=r"is no record of a script|cannot be read"):
        read(tmp_path / "file")


def test_a_record_that_is_damaged_is_told(tmp_path: Path) -> None:
    one = lane("a")
    step = one.runs[0][0]
    write(tmp_path / "file", one)
    content = bytearray((tmp_path / "file").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "flipped").write_bytes(content)
    write(tmp_path / "empty", replace(one, runs=((),)))
    write(tmp_path / "other", replace(one, runs=((replace(step, program="other"),),)))
    write(tmp_path / "behind", replace(one, runs=((replace(step, index=99),),)))
    for name in ("flipped", "empty", "other", "behind"):
        with pytest.raises(UserError, match="is no record of a script"):
            read(tmp_path / name)


def test_another_format_and_a_missing_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read(tmp_path / "none")
    (tmp_path / "file").write_bytes(gzip.compress(json.dumps({"format": 99}).encode()))
    with pytest.raises(UserError, match="has format 99"):
        read(tmp_path / "file")
    with pytest.raises(UserError, match="cannot be written"):
        write(tmp_path / "no" / "file", lane("a"))


def test_programs_of_one_name_are_kept_apart_in_a_file(tmp_path: Path) -> None:
    """A script may load another program of a name when it has closed the first one, or that was refused."""
    short = asm.program(asm.mov64_imm(R0, 1), asm.exit_())
    steps = [
        (LoadProgram("it", ProgramType.SOCKET_FILTER, one), RunSocketFilter(Ref("it"), b"\0" * 64), Close(Ref("it")))
        for one in (CALLED, short)
    ]
    one = lane("a", Script("twice", "", (*steps[0], *steps[1])))
    write(tmp_path / "record", one)
    kept = read(tmp_path / "record")
    assert {name: len(code) for name, code in kept.programs.items()} == {"it": 7, "it (2)": 2}
    assert [{step.program for step in run} for run in kept.runs] == [{"it"}, {"it (2)"}]
    assert not against(kept, one).difference
