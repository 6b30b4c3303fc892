# SPDX-License-Identifier: MIT
"""The guest's time is told by what it was spent on, without what telling the time takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest

from harness.abi import bpf
from harness.abi.system_calls import NUMBERS
from harness.benchmarks.spending import ATTACHING, CLOSING, LOADING, MAPS, PROCESSES, RUNNING, spent, table
from harness.core_scripts.parts import PRCTL, array, prctl, read_u64
from harness.isa.assemble import R0, exit_, mov64_imm, program
from harness.lowering.context import Guest
from harness.script.operations import (
    Attach,
    CreateKprobe,
    LoadProgram,
    OpenEvent,
    ProgramType,
    Ref,
    RunSocketFilter,
    Script,
)
from hil.agent.results import BatchResult, End, How, Status, StepResult
from hil.agent.steps import Batch, Immediate, Load, Syscall
from hil.errors import BenchError

CALLS = {number: name for name, number in NUMBERS["x86_64"].items()}
TOOK = {"prog_load": 5000, "prctl": 2000, "sendto": 3000, "perf_event_open": 400, "ioctl": 50, "close": 10, "bpf": 7}
"""Microseconds of system calls; those that are not here take none."""
CLOCK, PROCESS = 100, 900
"""Microseconds of a look at the clock, and of a process's start and end."""
VERDICT = program(mov64_imm(R0, 0), exit_())
PROBED = Script(
    "probed",
    "a program on a probe that is there",
    (
        array("map"),
        LoadProgram("program", ProgramType.KPROBE, VERDICT),
        CreateKprobe("probe", PRCTL),
        OpenEvent("event", Ref("probe")),
        Attach(Ref("event"), Ref("program")),
        prctl(),
        read_u64("map"),
    ),
)
FILTER = Script(
    "filter",
    "a program as a filter",
    (LoadProgram("program", ProgramType.SOCKET_FILTER, VERDICT), RunSocketFilter(Ref("program"), b"packet")),
)


class Agent:
    """Answers every batch as a guest whose system calls take a known time."""

    def __init__(self, end: How = How.COMPLETED) -> None:
        self.end, self.batches = end, list[Batch]()

    def exchange(self, batches: Sequence[Batch]) -> Iterator[BatchResult]:
        for batch in batches:
            self.batches.append(batch)
            now, results, name, clock = 0, [], "", list[int]()
            for step in batch.steps:
                value = 0
                if isinstance(step, Syscall):
                    name = CALLS[step.number]
                    if name == "bpf" and step.arguments[0] == Immediate(bpf.Command.PROG_LOAD):
                        name = "prog_load"
                    now += CLOCK if name == "clock_gettime" else TOOK.get(name, 0)
                    clock = [now // 1_000_000, now % 1_000_000 * 1000]
                elif isinstance(step, Load) and name == "clock_gettime":
                    value = clock.pop(0)
                results.append(StepResult(Status.DONE, value))
            yield BatchResult(End(self.end, elapsed=(now - CLOCK + PROCESS) / 1e6), tuple(results))


def executor(agent: Agent) -> SimpleNamespace:
    return SimpleNamespace(guest=Guest("x86_64", 0x40134), agent=agent, kept={PRCTL: (7, 8, 9)})


def test_each_kind_of_operation_has_its_own_time() -> None:
    agent = Agent()
    took = spent(executor(agent), (PROBED, FILTER) * 2, 2)  # type: ignore[arg-type]
    assert len(agent.batches) == 2
    expected = {
        LOADING: 5000,
        RUNNING: (2000 + 3000 + 2 * 10) / 2,
        ATTACHING: (400 + 50) / 2,
        MAPS: (7 + 7) / 2,
        CLOSING: (3 * 10 + 10) / 2,
        PROCESSES: PROCESS / 2,
    }
    assert {what: 1e6 * seconds for what, seconds in took.items()} == pytest.approx(expected, abs=0.01)


def test_a_process_that_does_not_end_is_no_fast_one() -> None:
    with pytest.raises(BenchError, match="a benchmark case was lost: its process was deadline passed"):
        spent(executor(Agent(How.DEADLINE)), (FILTER,), 1)  # type: ignore[arg-type]


def test_the_table_has_a_column_a_place_and_a_sum() -> None:
    headings, rows = table({"debian-12/x86_64": {LOADING: 0.0013, MAPS: 0.0002}, "linux-4.1/x86_64": {LOADING: 0.0005}})
    assert headings == ("milliseconds of the guest a case", "debian-12/x86_64", "linux-4.1/x86_64")
    assert rows == [(LOADING, "1.30", "0.50"), (MAPS, "0.20", "0.00"), ("all", "1.50", "0.50")]
