# SPDX-License-Identifier: MIT
"""Threads begin together, each on its CPU, and the operation ends when all have ended."""

from harness.lowering.context import Guest
from harness.lowering.lower import lower
from harness.script.operations import Close, OpenFile, Pin, Ref, RunThreads, Script, Thread, Trigger
from harness.script.outcome import Outcome
from hil.agent.results import BatchResult, End, How, Status, StepResult
from hil.agent.steps import Batch, Immediate, Join, Result, Syscall
from hil.agent.steps import Pin as PinStep
from hil.agent.steps import Thread as ThreadStep

GUEST = Guest("x86_64", 0)
READ, WRITE, CLOSE, OPENAT, EVENTFD = 0, 1, 3, 257, 290
THREADS = RunThreads(
    (Thread(0, (OpenFile("file"), Close(Ref("file")))), Thread(1, (Trigger("null_lseek", (1, 0), 5),)))
)


def lowered(*operations: object) -> Batch:
    return lower([Script("s", "", operations)], GUEST, ["t"])[0]  # type: ignore[arg-type]


def calls(batch: Batch, number: int) -> list[int]:
    return [index for index, step in enumerate(batch.steps) if isinstance(step, Syscall) and step.number == number]


def test_every_thread_is_pinned_says_so_and_waits_to_be_let_go() -> None:
    batch = lowered(THREADS)
    threads = [index for index, step in enumerate(batch.steps) if isinstance(step, ThreadStep)]
    for cpu, thread in enumerate(threads):
        pinned, ready, go = batch.steps[thread + 1 : thread + 4]
        assert pinned == PinStep(Immediate(cpu))
        assert isinstance(ready, Syscall) and isinstance(go, Syscall)
        assert (ready.number, go.number) == (WRITE, READ)
        assert ready.arguments[0] != go.arguments[0], "two semaphores"
    let_go = calls(batch, WRITE)[-1]
    assert let_go > max(threads), "by the thread that made them"
    heard = [index for index in calls(batch, READ) if max(threads) + batch.steps[threads[-1]].count < index < let_go]  # type: ignore[union-attr]
    assert len(heard) == len(threads), "when all have said that they are ready"
    joins = [index for index, step in enumerate(batch.steps) if isinstance(step, Join)]
    assert [batch.steps[index].thread for index in joins] == threads  # type: ignore[union-attr]
    assert min(joins) > let_go


def test_what_threads_share_is_opened_before_they_begin() -> None:
    batch = lowered(THREADS)
    first = next(index for index, step in enumerate(batch.steps) if isinstance(step, ThreadStep))
    assert min(calls(batch, OPENAT)) < first
    assert max(calls(batch, EVENTFD)) < first


def test_a_name_made_by_a_thread_is_known_behind_it() -> None:
    batch = lowered(RunThreads((Thread(0, (OpenFile("file"),)),)), Close(Ref("file")))
    opened = calls(batch, OPENAT)[-1]
    assert (Result(opened),) in [batch.steps[index].arguments for index in calls(batch, CLOSE)]  # type: ignore[union-attr]


def test_threads_are_read_one_by_one_unless_a_thread_did_not_get_its_cpu() -> None:
    batch, (script,) = lower([Script("s", "", (THREADS,))], GUEST, ["t"])
    steps: list[StepResult | None] = [StepResult(Status.DONE, 4)] * len(batch.steps)
    (told,) = script.observations(BatchResult(End(How.COMPLETED), tuple(steps)))
    assert told == Outcome(value=0, threads=((Outcome(value=4), Outcome(value=4)), (Outcome(value=4),)))
    pinned = [index for index, step in enumerate(batch.steps) if isinstance(step, PinStep)][-1]
    steps[pinned] = StepResult(Status.DONE, -22, 22)
    assert script.observations(BatchResult(End(How.COMPLETED), tuple(steps))) == (Outcome(errno="EINVAL"),)


def test_every_script_of_a_process_begins_on_the_first_cpu() -> None:
    scripts = [Script("one", "", (Pin(1),)), Script("two", "", (Close(9),))]
    batch, (_, second) = lower(scripts, GUEST, ["a", "b"])
    assert batch.steps[second.first_steps[0] - 1] == PinStep(Immediate(0))
