# SPDX-License-Identifier: MIT
"""What a child leaves to its parent: nothing, except a probe's number."""

import pytest

from harness.abi.capabilities import Capability, data
from harness.lowering.context import Guest
from harness.lowering.lower import lower
from harness.script.malformed import Malformed
from harness.script.operations import Close, CreateKprobe, CreateMap, Operation, Ref, Script
from harness.script.outcome import NOT_CARRIED_OUT, Outcome
from harness.script.processes import Execute, Exit, Fork, SetCredentials
from hil.agent.results import BatchResult, End, How, Status, StepResult
from hil.agent.steps import Batch, Process, Result, Skip, Syscall

GUEST = Guest(arch="x86_64", version_code=0)
CLOSE, WAIT4 = 3, 61
DONE, RUNNING = StepResult(Status.DONE, 0), StepResult(Status.RUNNING, 0)


def lowered(*operations: Operation) -> Batch:
    return lower([Script("s", "", operations)], GUEST, ["t"])[0]


def closed(batch: Batch) -> list[object]:
    return [step.arguments[0] for step in batch.steps if isinstance(step, Syscall) and step.number == CLOSE]


def test_the_child_s_steps_are_one_block_and_its_parent_waits_for_it() -> None:
    steps = lowered(Fork(), Close(7), Exit(), Close(8)).steps
    assert isinstance(steps[1], Process)
    waited = next(index for index, step in enumerate(steps) if isinstance(step, Syscall) and step.number == WAIT4)
    assert steps[1].count == waited - 2
    assert steps[waited].arguments[0] == Result(1)  # type: ignore[union-attr]


def test_what_a_child_opened_is_nothing_to_its_parent() -> None:
    with pytest.raises(Malformed, match="refers to 'm', which no earlier operation makes"):
        lowered(Fork(), CreateMap("m", 2, 4, 8, 1), Close(Ref("m")), Exit(), Close(Ref("m")))


def test_what_its_parent_had_the_parent_has_again() -> None:
    make = CreateMap("m", 2, 4, 8, 1)
    outer, inner = closed(lowered(make, Fork(), make, Exit(), Close(Ref("m")), Fork(), make, Close(Ref("m")), Exit()))
    assert isinstance(outer, Result) and isinstance(inner, Result) and outer.step < inner.step


def test_a_probe_belongs_to_nobody() -> None:
    batch = lowered(Fork(), CreateKprobe("p", "f"), Exit(), Close(Ref("p")))
    assert isinstance(closed(batch)[-2], Result), "the probe's number is known"
    assert b"-:hil/t_p\n" in b"".join(piece.data for piece in batch.image), "and it is removed"


def test_a_child_that_dies_leaves_operations_undone_and_its_parent_goes_on() -> None:
    batch, (script,) = lower([Script("s", "", (Fork(), Close(7), Close(8), Exit(), Close(9)))], GUEST, ["t"])
    steps: list[StepResult | None] = [DONE] * len(batch.steps)
    steps[2], steps[3] = RUNNING, None
    died = script.observations(BatchResult(End(How.COMPLETED), tuple(steps)))
    assert [outcome.errno for outcome in died] == [None, NOT_CARRIED_OUT, NOT_CARRIED_OUT, None, None]


def test_an_execve_that_does_not_return_has_succeeded() -> None:
    batch, (script,) = lower([Script("s", "", (Fork(), Execute("x"), Exit()))], GUEST, ["t"])
    execve = next(i for i, step in enumerate(batch.steps) if isinstance(step, Syscall) and step.number == 59)
    for result, outcome in ((RUNNING, Outcome(value=0)), (StepResult(Status.DONE, -2, 2), Outcome(errno="ENOENT"))):
        steps = [DONE] * len(batch.steps)
        steps[execve] = result
        assert script.observations(BatchResult(End(How.COMPLETED), tuple(steps)))[1] == outcome


def test_who_cannot_become_another_changes_nothing() -> None:
    steps = lowered(Fork(), SetCredentials(1000, frozenset({Capability.BPF})), Exit()).steps
    calls = [index for index, step in enumerate(steps) if isinstance(step, Syscall)][:5]
    for call in calls[:-1]:
        skip = steps[call + 1]
        assert isinstance(skip, Skip) and skip.condition == Result(call)
        assert call + 1 + skip.count == calls[-1]


def test_capabilities_are_effective_and_permitted() -> None:
    batch = lowered(Fork(), SetCredentials(1000, frozenset({Capability.BPF, Capability.SYS_ADMIN})), Exit())
    wanted = data({Capability.SYS_ADMIN, Capability.BPF})
    assert wanted == bytes.fromhex("00002000 00002000 00000000 80000000 80000000 00000000")
    assert wanted in [piece.data for piece in batch.image]
