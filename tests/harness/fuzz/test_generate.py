# SPDX-License-Identifier: MIT
"""Generated cases: the same on every host, accepted where they mean to run, and good enough to find a fault."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from harness.compare import Verdict, compare
from harness.fuzz import verdicts
from harness.fuzz.generate import cases
from harness.isa.instruction import Instruction
from harness.isa.opcodes import LD_IMM64, Class
from harness.isa.table import OPCODES, find
from harness.isa.text import listing
from harness.model.eras import ERAS, era
from harness.model.executor import ModelExecutor
from harness.model.verifier import SOCKET_FILTER, MapShape, VerifierContext, kprobe, verify
from harness.model.verifier.fixup import missing_helper
from harness.run.needs import unmet
from harness.script.operations import LoadProgram, Operation, ProgramType, RunSocketFilter, Script, Trigger
from harness.script.outcome import Bytes, Either, Outcome, Prediction, Unknown, Unpredicted
from tests.harness.model.running import environment

COUNT = 120
FINE = Outcome(value=3)
"""What a kernel says that takes a program."""


def generated(name: str = "4.1", arch: str = "x86_64", count: int = COUNT, seed: int = 1) -> list[Script]:
    return list(cases(seed, count, era(name, arch)))


def programs(scripts: list[Script]) -> list[LoadProgram]:
    return [one for script in scripts for one in script.operations if isinstance(one, LoadProgram)]


def is_load(operation: Operation) -> bool:
    return isinstance(operation, LoadProgram)


def runs(script: Script) -> bool:
    return any(isinstance(one, Trigger | RunSocketFilter) for one in script.operations)


def test_a_seed_and_a_number_make_a_case() -> None:
    assert generated(count=5) == generated(count=20)[:5]
    assert generated(seed=2) != generated()
    assert len({script.name for script in generated()}) == COUNT


@pytest.mark.parametrize("name", ERAS)
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_what_runs_is_accepted_and_predicted_to_the_end(name: str, arch: str) -> None:
    model = ModelExecutor(environment(name, arch, engine="jit"))  # which can call every helper
    open_ends = open_loads = 0
    for script in (scripts := [one for one in generated(name, arch, 60) if runs(one)]):
        predictions = model.run(script, None, [FINE for _ in script.operations])
        for prediction in (one for one, load in zip(predictions, script.operations, strict=True) if is_load(load)):
            open_loads += isinstance(prediction, Unpredicted)
            assert not isinstance(prediction, Outcome) or prediction.errno is None, (script.name, prediction)
        others = [one for one, load in zip(predictions, script.operations, strict=True) if not is_load(load)]
        open_ends += any(isinstance(prediction, Unpredicted) for prediction in others)
    assert open_ends <= 3
    assert open_loads <= (0 if name == "4.1" else len(scripts) / 2), "pointers computed with"


@pytest.mark.parametrize("name", ERAS)
def test_every_opcode_of_the_era_turns_up_and_no_other_runs(name: str) -> None:
    loads = programs([script for script in generated(name, "arm64", 250) if runs(script)])
    found = {opcode for load in loads for insn in load.program.instructions if (opcode := find(insn))}
    assert all(opcode.since <= era(name, "x86_64").release for opcode in found)
    without = ("may_goto", "call_kfunc", "ld_btf_id", "ld_function", "ld_map_")
    meant = {one for one in OPCODES if one.since <= era(name, "x86_64").release and not one.name.startswith(without)}
    assert len(meant - found) <= len(meant) // 10, sorted(opcode.name for opcode in meant - found)


def test_mutants_are_refused_for_many_reasons_and_none_is_deadly() -> None:
    messages = set()
    for load in programs([script for script in generated(count=400) if not runs(script)]):
        kind = kprobe(168) if load.type == ProgramType.KPROBE else SOCKET_FILTER
        verdict = verify(load.program.instructions, VerifierContext(kind, True, lambda fd: MapShape(2, 4, 104)))
        assert not verdict.oops
        messages.add(verdict.message.split(" ")[-1])
    assert len(messages) > 10


def test_kernels_without_probes_get_filters() -> None:
    assert {load.type for load in programs(generated("4.1", "arm64"))} == {ProgramType.SOCKET_FILTER}
    assert {load.type for load in programs(generated("6.1", "arm64"))} == {
        ProgramType.SOCKET_FILTER,
        ProgramType.KPROBE,
    }


def test_a_kernel_of_other_rules_is_found_out() -> None:
    """5.10 in the place of 4.1: division by zero has a result there, and generated programs divide by zero."""
    for script in filter(runs, generated()):
        predictions = ModelExecutor(environment("4.1")).run(script)
        fine = [FINE for _ in script.operations]
        seen = [as_seen(said) for said in ModelExecutor(environment("5.10")).run(script, None, fine)]
        if compare(script, predictions, seen).verdict is Verdict.DIVERGE:
            break
    else:
        pytest.fail("no case tells the eras apart")
    seen = [as_seen(said) for said in predictions]
    assert compare(script, predictions, seen).verdict is Verdict.AGREE


def as_seen(said: Prediction) -> Outcome:
    """A prediction as if a kernel had said it."""
    if isinstance(said, Unpredicted):  # of a load
        return FINE
    said = said.outcomes[0] if isinstance(said, Either) else said
    data = said.data.content if isinstance(said.data, Bytes) else said.data
    return replace(said, value=7 if isinstance(said.value, Unknown) else said.value, data=data)


def test_a_program_without_meaning_can_still_be_listed() -> None:
    assert listing((Instruction(0xB7), Instruction(0x95))) == ((0, "(b7) r0 = 0"), (1, "(95) exit"))
    assert listing((Instruction(0xFF),)) == ((0, "(ff) {dst=0, src=0, off=0, imm=0}"),)


def test_nothing_jumps_behind_a_constant_where_4_1s_jit_would_start_again() -> None:
    for load in programs([script for script in generated("4.1", "arm64", 400) if runs(script)]):
        halves = {index + 1 for index, insn in enumerate(load.program.instructions) if insn.code == LD_IMM64}
        jumps = {
            index + insn.off
            for index, insn in enumerate(load.program.instructions)
            if insn.opcode_class == Class.JMP and insn.code not in (0x85, 0x95)
        }
        assert not halves & jumps


def test_where_the_jit_spoils_stacks_it_is_given_programs_without_one() -> None:
    interp, jit = (environment("4.1", "arm64", engine=engine) for engine in ("interp", "jit"))
    running = [script for script in generated("4.1", "arm64", 200) if runs(script)]
    assert not any(unmet(script.needs, interp) for script in running)
    spared = [script for script in running if not unmet(script.needs, jit)]
    assert 50 < len(spared) < 150
    for load in programs(spared):
        assert not any(10 in (insn.dst, insn.src) for insn in load.program.instructions)


def test_verdicts_made_of_registers_are_all_different() -> None:
    model = ModelExecutor(environment("4.1", "arm64"))
    seen = [model.run(script)[1] for script in generated("4.1", "arm64", 250) if len(script.operations) == 2]
    verdicts = {said.value for said in seen if isinstance(said, Outcome)}
    assert len(verdicts) > 0.8 * len(seen) > 50


def test_nothing_divides_by_a_lower_half_that_4_1s_jit_does_not_look_at() -> None:
    """Which would be the end of the machine: a move that clears the rest comes before every such division."""
    for load in programs([script for script in generated(count=400) if runs(script)]):
        for before, insn in pairwise(load.program.instructions):
            if insn.code in (0x3C, 0x9C):
                assert (before.code, before.dst, before.src) == (0xBC, insn.src, insn.src)


@pytest.mark.parametrize("name", ERAS)
def test_programs_for_the_verifier_reach_more_than_wrong_fields(name: str) -> None:
    """At least half of the verdicts are predicted, of all sorts, and no program is deadly."""
    lane = environment(name, "x86_64")
    model, said = ModelExecutor(lane), Counter[str]()
    for number in range(12):
        script = verdicts.case(1, number, lane.rules)
        assert script == verdicts.case(1, number, lane.rules)
        for one, prediction in zip(script.operations, model.run(script), strict=True):
            if isinstance(one, LoadProgram):
                said[getattr(prediction, "errno", "open") or "accepted"] += 1
                kind = kprobe(lane.registers.size) if one.type == ProgramType.KPROBE else SOCKET_FILTER
                assert name != "4.1" or missing_helper(one.program.instructions, kind.helpers) is None
    assert said.total() == 12 * verdicts.PROGRAMS
    assert said["open"] < said.total() / 2
    assert min(said["accepted"], said["EINVAL"], said["EACCES"]) > said.total() / 20
