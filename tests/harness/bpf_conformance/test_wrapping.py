# SPDX-License-Identifier: MIT
"""A wrapped program returns what the bare one returns; the model runs both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.bpf_conformance import by_model, on_lane
from harness.bpf_conformance.request import ProgramFailed, Request
from harness.bpf_conformance.wrapping import EXIT, RESULT, STORED, wrap
from harness.isa.text import assemble
from harness.lowering.context import Guest
from harness.lowering.executor import Observed
from harness.model.executor import ModelExecutor
from harness.model.interpreter import Returned
from harness.programs.lanes import environment
from harness.programs.running import on_memory
from harness.programs.structure import check
from harness.script.operations import CreateMap, LoadProgram, MapType, Operation, RunSocketFilter, Script
from harness.script.outcome import Outcome, Prediction
from tests.fakes import FakeExecutor, FakeTarget, fake_executor, fake_kernel


def wrapped(request: Request, era: str) -> Outcome:
    """The last operation of the script for a lane, as the model predicts it."""
    predictions = ModelExecutor(environment(era, "x86_64")).run(on_lane.script(request))
    assert all(isinstance(prediction, Outcome) for prediction in predictions), predictions
    last = predictions[-1]
    assert isinstance(last, Outcome)
    return last


@pytest.mark.parametrize("era", ["4.1", "6.1"])
@pytest.mark.parametrize(
    "text",
    [
        "r0 = *(u8 *)(r1 +3)\nr0 += r2\nexit",
        "r0 = -2\nexit",
        "r0 = 1\nif r2 == 0x4 goto out\nr0 = 2\nexit\nout: r0 = 3\nexit",
        "*(u32 *)(r1 +0) = 5\nr0 = *(u32 *)(r1 +0)\ngoto out\nout: exit",
        "*(u64 *)(r10 -512) = 9\nr0 = *(u64 *)(r10 -512)\nexit",
        "r0 = 0x123456789abcdef ll\nexit",
    ],
)
def test_the_result_is_the_bare_programs(text: str, era: str) -> None:
    request = Request(assemble(text), bytes(range(4)))
    expected = by_model.execute(environment(era, "x86_64"), request)
    assert wrapped(request, era).data == expected.to_bytes(8, "little")


@settings(max_examples=30, deadline=None)
@given(memory=st.binary(max_size=64))
def test_any_memory(memory: bytes) -> None:
    request = Request(assemble("r0 = r2\nexit"), memory)
    assert wrapped(request, "4.1").data == len(memory).to_bytes(8, "little")


def test_functions_stay_behind_the_program_and_keep_their_exits() -> None:
    text = """
        r1 = 4
        call pc+3
        if r0 != 0x4 goto pc+1
        r0 += 1
        exit
        call pc+1
        exit
        r0 = r1
        if r0 == 0x9 goto pc+1
        exit
        r0 = 2
        exit
    """
    program = wrap(assemble(text), 0)
    check(program, (7, 2))
    exits = [index for index, instruction in enumerate(program.instructions) if instruction.code == EXIT]
    assert len(exits) == 2 + 3, "two of the epilogue, and those of the functions"
    ran = on_memory(environment("7.2", "x86_64"), program, b"", [CreateMap(RESULT, MapType.ARRAY, 4, 8, 1)])
    assert ran.ended == Returned(STORED)
    assert [region.known(0, 8) for _, region in ran.maps[RESULT].stored()] == [(5).to_bytes(8, "little")]


def test_a_program_the_kernel_ends_returns_0() -> None:
    """4.1 ends a program that divides by 0, which therefore never gets to the epilogue."""
    request = Request(assemble("r0 = 7\nr1 = 0\nr0 /= r1\nexit"), b"")
    script = on_lane.script(request)
    predictions = ModelExecutor(environment("4.1", "x86_64")).run(script)
    assert isinstance(script.operations[-2], RunSocketFilter)
    assert predictions[-2] == Outcome(value=0)

    said = dict(zip(script.operations, predictions, strict=True))
    assert on_lane.execute(fake_executor(lambda operation: outcome(said[operation])), request) == 0


def outcome(prediction: Prediction) -> Outcome:
    assert isinstance(prediction, Outcome)
    return prediction


def test_a_refusal_is_told_by_the_log() -> None:
    request = Request(assemble("r0 = r3\nexit"), b"")

    def says(operation: Operation) -> Outcome:
        if not isinstance(operation, LoadProgram):
            return Outcome(value=3)
        text = "0: (bf) r0 = r3\nR3 !read_ok\nprocessed 1 insns (limit 1000000)\n\n" if operation.log_level else None
        return Outcome(errno="EACCES", log=text)

    with pytest.raises(ProgramFailed, match=r"the kernel refuses the program with EACCES: R3 !read_ok$") as failed:
        on_lane.execute(fake_executor(says), request)
    assert "0: (bf)" in failed.value.details


def test_a_log_that_would_kill_the_guest_is_not_asked_for_and_that_is_told() -> None:
    """An operation that 4.1's log has no name for."""
    request = Request(assemble("r0 = 1\nif r0 < 0x5 goto pc+0\nexit"), b"")

    class Model(FakeExecutor):
        def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed]:
            for one in scripts:
                predictions = ModelExecutor(environment("4.1", "arm64")).run(one)
                yield Observed(one, tuple(map(outcome, predictions)), 0.0)

    told = r"refuses the program with EINVAL; its log was not asked for: the log of 4\.1 has no name for operation a5"
    with pytest.raises(ProgramFailed, match=told):
        on_lane.execute(Model(FakeTarget(), Guest.of(fake_kernel())), request)
