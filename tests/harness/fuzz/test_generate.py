"""Generated cases: the same on every host, accepted where they mean to run, and good enough to find a fault."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest

from harness.compare import Verdict, compare
from harness.fuzz.commands import listing
from harness.fuzz.generate import cases
from harness.isa.instruction import Instruction
from harness.isa.opcodes import OPCODES
from harness.model.eras import ERAS, era
from harness.model.executor import ModelExecutor
from harness.model.verifier import SOCKET_FILTER, MapShape, VerifierContext, kprobe, verify
from harness.script.operations import FilterPacket, Fire, LoadProgram, Program, ProgramType, Script
from harness.script.outcome import Bytes, Outcome, Prediction, Unknown, Unpredicted
from tests.harness.model.running import environment

COUNT = 120


def generated(name: str = "4.1", arch: str = "x86_64", count: int = COUNT, seed: int = 1) -> list[Script]:
    return list(cases(seed, count, era(name), arch))


def programs(scripts: list[Script]) -> list[LoadProgram]:
    return [one for script in scripts for one in script.operations if isinstance(one, LoadProgram)]


def runs(script: Script) -> bool:
    return any(isinstance(one, Fire | FilterPacket) for one in script.operations)


def test_a_seed_and_a_number_make_a_case() -> None:
    assert generated(count=5) == generated(count=20)[:5]
    assert generated(seed=2) != generated()
    assert len({script.name for script in generated()}) == COUNT


@pytest.mark.parametrize("name", ERAS)
@pytest.mark.parametrize("arch", ["x86_64", "arm64"])
def test_what_runs_is_accepted_and_predicted_to_the_end(name: str, arch: str) -> None:
    model = ModelExecutor(environment(name, arch, engine="jit"))  # which can call every helper
    open_ends = 0
    for script in filter(runs, generated(name, arch, 60)):
        predictions = model.run(script)
        loads = [index for index, one in enumerate(script.operations) if isinstance(one, LoadProgram)]
        for index in loads:
            prediction = predictions[index]
            assert isinstance(prediction, Outcome) and prediction.errno is None, (script.name, prediction)
        open_ends += any(isinstance(prediction, Unpredicted) for prediction in predictions)
    assert open_ends <= 3


def test_every_sort_of_instruction_turns_up() -> None:
    codes = {insn.code for load in programs(generated(count=200)) for insn in load.program.instructions}
    meant = {opcode.code for opcode in OPCODES if opcode.since == (4, 1)}
    assert len(meant - codes) <= 3, sorted(hex(code) for code in meant - codes)


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
        seen = [as_seen(said) for said in ModelExecutor(environment("5.10")).run(script)]
        if compare(script, predictions, seen).verdict is Verdict.DIVERGE:
            break
    else:
        pytest.fail("no case tells the eras apart")
    seen = [as_seen(said) for said in predictions]
    assert compare(script, predictions, seen).verdict is Verdict.AGREE


def as_seen(said: Prediction) -> Outcome:
    """A prediction as if a kernel had said it."""
    assert isinstance(said, Outcome)
    data = said.data.content if isinstance(said.data, Bytes) else said.data
    return replace(said, value=7 if isinstance(said.value, Unknown) else said.value, data=data)


def test_a_program_without_meaning_can_still_be_listed() -> None:
    assert listing(Program((Instruction(0xB7), Instruction(0x95)))) == "(b7) r0 = 0\n(95) exit\n"
    assert "code=255" in listing(Program((Instruction(0xFF),)))


def test_nothing_divides_by_a_lower_half_that_4_1s_jit_does_not_look_at() -> None:
    """Which would be the end of the machine: a move that clears the rest comes before every such division."""
    for load in programs([script for script in generated(count=400) if runs(script)]):
        for before, insn in pairwise(load.program.instructions):
            if insn.code in (0x3C, 0x9C):
                assert (before.code, before.dst, before.src) == (0xBC, insn.src, insn.src)
