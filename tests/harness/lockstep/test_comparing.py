# SPDX-License-Identifier: MIT
"""What lockstep says of a guest that does as it should, and of a model with a fault: the number of the instruction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.clauses import clauses
from harness.isa import assemble as asm
from harness.isa.assemble import DW, R0, R1, R6, R10
from harness.isa.instruction import Instruction
from harness.isa.opcodes import Class
from harness.lockstep.actual import interpreted
from harness.lockstep.checking import CONCURRENT, EMPTY, NOTHING, compare
from harness.lockstep.comparing import Comparison
from harness.lockstep.expected import ModelRun, trace
from harness.lockstep.findings import Examined, lines
from harness.lowering.executor import Missed
from harness.model.environment import Environment
from harness.model.instructions.table import instruction_table
from harness.model.state import State
from harness.model.unpredictable import Unpredictable
from harness.model.value import Value
from harness.script.operations import LoadProgram, Pin, ProgramType, RunThreads, Script, Thread
from hil.recorder import Record
from tests.harness.lockstep.faults import FAULTS, JUMP, SCRIPT, never_jumping, planted
from tests.harness.lockstep.pretended import LABELS, Pretended, held_against, pretend

LANE = Environment(era="6.1", arch="x86_64", version_code=0x060100)


def test_a_guest_that_does_as_it_should_is_equal() -> None:
    found = compare(LANE, SCRIPT, pretend(LANE, SCRIPT)).examined
    assert not found.difference and not found.note
    assert (found.runs, found.steps) == (1, 25)
    assert found.values > 80 and found.pointers > 40 and found.stack > 50


def test_there_are_twenty_faults_of_the_model() -> None:
    assert len({*FAULTS, JUMP}) == 20


@pytest.mark.parametrize("lane", [LANE, replace(LANE, arch="arm64")], ids=["x86_64", "arm64"])
@pytest.mark.parametrize(("name", "index"), FAULTS.items())
def test_a_fault_of_the_model_is_named_at_its_instruction(lane: Environment, name: str, index: int) -> None:
    found = held_against(lane, SCRIPT, planted(lane, name)).examined.difference
    assert found and (found.program, found.run, found.instruction) == ("it", 1, index)
    assert [line.number for line in found.around if line.here] == [index]


def test_a_jump_that_goes_the_other_way_is_named() -> None:
    found = held_against(LANE, SCRIPT, never_jumping(LANE)).examined.difference
    assert found and found.instruction == JUMP
    assert (found.what, found.model, found.guest) == ("the next instruction", "23", "24")


def test_a_pointer_is_compared_by_its_offset() -> None:
    def further(state: State, instruction: Instruction) -> None:
        state.registers[instruction.dst] = state.registers[instruction.src] + 8

    table = {**instruction_table(LANE.rules), "mov64_reg": further}
    found = held_against(LANE, SCRIPT, table).examined.difference
    assert found and (found.instruction, found.what, found.model) == (1, "R6", "0xf")


def test_the_text_has_both_sides_and_what_was_left_out() -> None:
    text = list(lines(held_against(LANE, SCRIPT, planted(LANE, "xor64_imm")).examined))
    assert text[1].startswith("it, run 1, step 6: after instruction 7, (a7) r7 ^= ")
    assert text[2].startswith("R7: model 0x") and ", kernel 0x" in text[2]
    assert sum(line.startswith(">") for line in text) == 1
    assert any(line.startswith("not compared: ") and "a register nobody wrote" in line for line in text)


def test_the_text_says_on_which_other_cpu_it_was() -> None:
    pretended = Pretended(SCRIPT)
    records = [replace(one, cpu=1) for one in pretended.records(trace(LANE, SCRIPT).runs)]
    recorded = replace(pretend(LANE, SCRIPT), runs=tuple(interpreted(records, pretended.programs(), LABELS)))
    text = list(lines(compare(LANE, SCRIPT, recorded, planted(LANE, "xor64_imm")).examined))
    assert text[1].startswith("it, run 1 on CPU 1, step 6: after instruction 7, ")


def test_a_run_that_the_guest_did_not_make_is_a_difference() -> None:
    recorded = replace(pretend(LANE, SCRIPT), runs=())
    found = compare(LANE, SCRIPT, recorded).examined
    assert found.difference and found.difference.what == "the run"


def test_what_the_verifier_notes_in_a_load_is_no_difference() -> None:
    pretended = Pretended(SCRIPT)
    records = [_noted(one) for one in pretended.records(trace(LANE, SCRIPT).runs)]
    runs = tuple(interpreted(records, pretended.programs(), LABELS))
    found = compare(LANE, SCRIPT, replace(pretend(LANE, SCRIPT), runs=runs)).examined
    assert not found.difference and (found.runs, found.steps) == (1, 25)


def test_what_a_function_has_not_written_is_not_compared() -> None:
    """An interpreter gives a function registers of its own; a JIT leaves those of the caller."""
    body = asm.program(
        asm.mov64_imm(R0, 3),
        asm.mov64_imm(R6, 4),
        asm.mov64_imm(R1, 5),
        asm.call_local(1),
        asm.exit_(),
        asm.mov64_reg(R6, R1),
        asm.mov64_imm(R0, 1),
        asm.exit_(),
    )
    script = replace(SCRIPT, operations=(LoadProgram("it", ProgramType.SOCKET_FILTER, body), *SCRIPT.operations[1:]))
    recorded = pretend(LANE, script)
    (run,) = recorded.runs
    inside = [number for number, one in enumerate(run.readings[0]) if one.index in (5, 6, 7)]
    assert len(inside) == 3

    def own(number: int, value: int, steps: list[int]) -> Examined:
        steps_of_run = list(run.readings[0])
        for at in steps:
            registers = list(steps_of_run[at].registers)
            registers[number] = value
            steps_of_run[at] = replace(steps_of_run[at], registers=tuple(registers))
        return compare(LANE, script, replace(recorded, runs=(replace(run, readings=[steps_of_run]),))).examined

    assert not own(R0, 0, inside[:2]).difference and not own(R6, 0, inside[:1]).difference
    written = own(R6, 0, inside[1:2]).difference
    assert written and (written.instruction, written.what) == (5, "R6")
    returned = own(R6, 0, [inside[-1] + 1]).difference
    assert returned and (returned.instruction, returned.what) == (7, "R6")


def _noted(record: Record) -> Record:
    """The record of a load with the kind of its pointer in place of the constant, which 4.1's verifier leaves there."""
    code = record.words[3]
    if code & 7 == Class.LDX:
        code |= 2 << 32
    return replace(record, words=(*record.words[:3], code, *record.words[4:]))


def test_runs_of_others_are_counted_and_passed_over() -> None:
    recorded = pretend(LANE, SCRIPT)
    (run,) = recorded.runs
    foreign = replace(run, readings=[run.readings[0][:3]])
    found = compare(LANE, SCRIPT, replace(recorded, runs=(foreign, run))).examined
    assert not found.difference and found.runs == 1
    assert any(line.startswith("1 runs:") for line in found.left_out)


def test_a_run_that_ends_early_is_a_difference() -> None:
    recorded = pretend(LANE, SCRIPT)
    (run,) = recorded.runs
    found = compare(LANE, SCRIPT, replace(recorded, runs=(replace(run, readings=[run.readings[0][:9]]),))).examined
    assert found.difference and (found.difference.guest, found.difference.step) == ("the program's end", 8)


def test_what_cannot_be_compared_says_why() -> None:
    lost = replace(pretend(LANE, SCRIPT), seen=Missed(SCRIPT, 1, "the machine died"))
    assert "the machine died" in compare(LANE, SCRIPT, lost).examined.note
    threads = Script("threads", "two", (RunThreads((Thread(0, (Pin(0),)), Thread(1, (Pin(1),)))),))
    nothing = replace(pretend(LANE, SCRIPT), runs=(), programs=())
    assert compare(LANE, threads, nothing).examined.note == CONCURRENT
    assert compare(LANE, Script("none", "nothing", (Pin(0),)), nothing).examined.note == EMPTY


def test_what_the_guest_alone_ran_is_not_equal_to_nothing() -> None:
    found = compare(LANE, Script("none", "nothing", (Pin(0),)), pretend(LANE, SCRIPT)).examined
    assert found.note == NOTHING
    assert any(line.startswith("1 runs:") for line in found.left_out)


@pytest.mark.parametrize(("size", "place"), [("B", 4), ("DW", 0), ("DW", 6)])
def test_a_byte_of_an_address_on_the_stack_is_compared(size: str, place: int) -> None:
    """Of which the model knows no number: it is that of the register it came from. Later verifiers refuse a part."""
    lane = replace(LANE, era="4.1", version_code=0x040134)
    body = asm.program(
        asm.st(DW, R10, -8, -1),  # which is no part of it any more
        asm.stx(getattr(asm, size), R10, -8 + (place if size == "B" else 0), R10),
        asm.mov64_imm(R0, 0),
        asm.exit_(),
    )
    script = replace(SCRIPT, operations=(LoadProgram("it", ProgramType.SOCKET_FILTER, body), *SCRIPT.operations[1:]))
    recorded = pretend(lane, script)
    (run,) = recorded.runs
    assert not compare(lane, script, recorded).examined.difference
    steps = list(run.readings[0])
    stack = bytearray(steps[-1].stack or b"")
    stack[len(stack) - 8 + place] ^= 0x20
    steps[-1] = replace(steps[-1], stack=bytes(stack))
    found = compare(lane, script, replace(recorded, runs=(replace(run, readings=[steps]),))).examined.difference
    assert found and (found.instruction, found.what) == (2, f"the stack at r10{place - 8}")


def test_a_tail_call_goes_to_the_program_that_goes_on_so() -> None:
    """Three programs begin with the same instruction, and only what follows tells them apart."""
    clause = next(one for one in clauses("x86_64", "6.1") if one.id == "TAIL-43")
    script = clause.script("6.1")
    assert len({one.program.instructions[0] for one in script.operations if isinstance(one, LoadProgram)}) == 1
    recorded = pretend(LANE, script)
    assert [[step.program.name for step in run.readings[0]][-1] for run in recorded.runs] == [
        "filter",
        "other",
        "third",
        "filter",
    ]
    found = compare(LANE, script, recorded).examined
    assert not found.difference and found.runs == 4


def test_a_way_that_the_kernel_did_not_take_is_no_run_that_is_missing() -> None:
    (one,) = trace(LANE, SCRIPT).runs
    last = replace(one.steps[3], step=replace(one.steps[3].step, stop="a comparison depends on a kernel address"))
    other = ModelRun(one.program, [*one.steps[:3], last])
    guest = pretend(LANE, SCRIPT).runs
    assert [found.parting for found in Comparison().compare([one, other], guest)] == [None, None]
    lacking = replace(last, step=replace(last.step, stop="the model has no rule for helper 999"))
    elsewhere = ModelRun(one.program, [*one.steps[:3], lacking])
    for model, ran in (([one, one], guest), ([other], ()), ([one, elsewhere], guest)):
        (*_, missing) = Comparison().compare(model, ran)
        assert missing.parting is not None and missing.parting.guest == "none: it was not run"


def test_a_run_that_the_model_cannot_follow_to_its_end_is_equal_so_far_only() -> None:
    recorded = pretend(LANE, SCRIPT)
    assert compare(LANE, SCRIPT, recorded).examined.whole

    def lost(state: State, instruction: Instruction) -> Value | None:
        raise Unpredictable("the model has no rule for it")

    found = compare(LANE, SCRIPT, recorded, {**instruction_table(LANE.rules), "xor64_imm": lost}).examined
    assert (found.difference, found.cut_off, found.whole) == (None, 1, False)
    assert found.sentence.endswith("bytes of stack: equal so far, 1 of the runs not to their end")
    assert "1 runs to their end: the model has no rule for it" in found.left_out
