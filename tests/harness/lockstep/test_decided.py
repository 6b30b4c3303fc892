# SPDX-License-Identifier: MIT
"""Branches that the verifier took for decided: one that was decided wrongly is named, and what both sides compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from harness.isa import assemble as asm
from harness.isa.assemble import R0, R2, R6, R7
from harness.isa.instruction import Instruction, encode
from harness.isa.opcodes import Helper
from harness.lockstep.actual import GuestProgram, GuestRun, GuestStep
from harness.lockstep.checking import compare
from harness.lockstep.findings import Examined, lines
from harness.lockstep.recording import Recorded
from harness.lowering.executor import Observed
from harness.lowering.watch import LoadedCode
from harness.model.environment import Environment
from harness.script.operations import LoadProgram, ProgramType, Ref, RunSocketFilter, Script
from tests.harness.lockstep.pretended import pretend

LANE = Environment(era="6.1", arch="x86_64", version_code=0x060100)
HIGH_ONLY = 0x1_0000_0000
BODY = asm.program(
    asm.mov64_imm(R0, 1),
    asm.ld_imm64(R7, HIGH_ONLY),
    asm.jne32_imm(R7, 0, 1),
    asm.mov64_imm(R0, 2),
    asm.exit_(),
)
BRANCH, DEAD, EXIT = 3, 4, 5


def script(body: asm.Program) -> Script:
    return Script(
        "branch", "one", (LoadProgram("it", ProgramType.SOCKET_FILTER, body), RunSocketFilter(Ref("it"), b"\0" * 64))
    )


def examined(
    body: asm.Program, removed: set[int], became: Mapping[int, Instruction] | None = None, **registers: int
) -> Examined:
    """What lockstep says of a kernel that runs a program without the instructions in `removed`, and with others for
    those in `became`; with other values of registers behind the first instruction."""
    return held(*recorded(body, removed, became, **registers))


def recorded(
    body: asm.Program, removed: set[int], became: Mapping[int, Instruction] | None = None, **registers: int
) -> tuple[asm.Program, GuestProgram, list[GuestStep]]:
    instructions = body.instructions
    left = [number for number in range(len(instructions)) if number not in removed]
    kernel = tuple((became or {}).get(number, instructions[number]) for number in left)
    halves = {number + 1 for number, one in enumerate(instructions) if one.code == asm.ld_imm64(R0, 0)[0].code}
    lined = tuple((at, number) for at, number in enumerate(left) if number not in halves)
    program = GuestProgram("it", instructions, LoadedCode("it", encode(kernel), lined))
    (run,) = pretend(LANE, script(asm.program(*kernel))).runs
    steps = [_as_of(step, program, registers if number else {}) for number, step in enumerate(run.readings[0])]
    return body, program, steps


def held(body: asm.Program, program: GuestProgram, steps: list[GuestStep]) -> Examined:
    whole = Recorded(Observed(script(body), (), 0.0), (program,), (GuestRun(0, [steps]),))
    return compare(LANE, script(body), whole).examined


def _as_of(step: GuestStep, program: GuestProgram, registers: Mapping[str, int]) -> GuestStep:
    values = tuple(registers.get(f"r{number}", value) for number, value in enumerate(step.registers))
    return replace(step, program=program, indexes=(program.origin[step.index],), registers=values)


def test_a_branch_that_was_removed_wrongly_is_named() -> None:
    found = examined(BODY, {BRANCH, DEAD})
    parted = found.difference
    assert parted and (parted.instruction, parted.what, parted.model, parted.guest) == (BRANCH, "R0", "0x2", "0x1")
    text = list(lines(found))
    assert "branch removed: instruction 3, (56) if w7 != 0x0 goto pc+1, is not there in the program" in text[3]
    assert text[4] == f"by the model it compares w7=0x0 of R7={HIGH_ONLY:#x}, and goes to instruction {DEAD}"
    assert text[5] == f"the kernel has w7=0x0 of R7={HIGH_ONLY:#x} there, and went on with instruction {EXIT}"
    assert text[6].startswith("xlated_prog_insns of BPF_OBJ_GET_INFO_BY_FD")
    assert text[7:9] == [f"  xlated    1: (18) r7 = {HIGH_ONLY:#x} ll  ; 1", "  xlated    3: (95) exit  ; 5"]
    assert [line.number for line in parted.around if line.here] == [BRANCH]


def test_a_branch_that_became_a_goto_is_named() -> None:
    body = asm.program(
        asm.mov64_imm(R0, 1),
        asm.mov64_imm(R7, 0),
        asm.jeq_imm(R0, 9, 1),  # so that what is jumped over is not dead
        asm.jne32_imm(R7, 0, 1),
        asm.mov64_imm(R0, 2),
        asm.exit_(),
    )
    parted = examined(body, set(), {3: asm.ja(1)}).difference
    assert parted and (parted.instruction, parted.what) == (3, "the next instruction")
    assert (parted.model, parted.guest) == ("4", "5")
    assert "is (05) goto pc+1 in the program that the kernel runs" in parted.removed[0]


def test_a_branch_that_was_removed_rightly_is_not_blamed() -> None:
    body = asm.program(
        asm.mov64_imm(R0, 1),
        asm.mov64_imm(R7, 3),
        asm.jne32_imm(R7, 0, 1),
        asm.mov64_imm(R0, 2),
        asm.exit_(),
    )
    assert not examined(body, {2, 3}).difference
    wrong = examined(body, {2, 3}, r0=7).difference
    assert wrong and (wrong.instruction, wrong.what, wrong.removed) == (0, "R0", ())


def test_a_branch_by_what_the_model_does_not_know_is_passed_over() -> None:
    body = asm.program(
        asm.call(Helper.GET_PRANDOM_U32),
        asm.mov64_reg(R6, R0),
        asm.mov64_imm(R0, 1),
        asm.jne32_imm(R6, 0, 1),
        asm.mov64_imm(R0, 2),
        asm.mov64_reg(R2, R0),
        asm.exit_(),
    )
    found = examined(body, {3, 4})
    assert not found.difference
    assert "2 steps: the model does not know which way a jump goes" in found.left_out


def test_what_has_no_code_shares_a_step_with_what_follows_behind_a_removed_branch() -> None:
    body = asm.program(
        asm.mov64_imm(R0, 1),
        asm.ja(0),
        asm.jne_imm(R0, 1, 1),
        asm.mov64_imm(R2, 5),
        asm.exit_(),
    )
    _, program, steps = recorded(body, {2})
    assert [step.index for step in steps] == [0, 1, 3, 4]
    joined = [steps[0], replace(steps[2], indexes=(1, 3)), steps[3]]
    found = held(body, program, joined)
    assert not found.difference and found.steps == 4
