# SPDX-License-Identifier: MIT
"""The gain of batching: cases a second in one exchange, compared with one exchange a case and with one agent a case;
and whether the model keeps up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from harness.benchmarks.ratio import Ratio, seconds
from harness.core_scripts.parts import array, element, read_u64
from harness.isa.assemble import DW, R0, R7, add64_imm, exit_, mov64_imm, program, stx
from harness.lane import Engine
from harness.lowering.executor import GuestExecutor, Missed, Observed
from harness.model.executor import ModelExecutor
from harness.script.operations import LoadProgram, ProgramType, Ref, RunSocketFilter, Script
from harness.session import Session
from hil.errors import BenchError
from hil.target import Target

CASE = Script(
    "case",
    "fifty instructions, run once, and what they stored",
    (
        array("seen"),
        LoadProgram(
            "program",
            ProgramType.SOCKET_FILTER,
            program(
                mov64_imm(R7, 0),
                [add64_imm(R7, number) for number in range(38)],
                element("seen"),
                stx(DW, R0, 0, R7),
                mov64_imm(R0, 0),
                exit_(),
            ),
        ),
        RunSocketFilter(Ref("program"), b"packet"),
        read_u64("seen"),
    ),
)
"""One differential case, the unit of a fuzzing run."""

TOGETHER = 50
"""The number of cases that share a process, as in a fuzzing run."""


def batching_ratios(session: Session[Target], rounds: int, notify: Callable[[str], None]) -> tuple[Ratio, ...]:
    """Returns the ratios of cases a second, all ways in turn on one machine that is running already."""
    batched, exchanged, started, predicted = [], [], [], []
    lane, model = str(session.kernel), ModelExecutor(session.environment(Engine.JIT))
    for number in range(1, rounds + 1):
        notify(f"cases on {lane}, round {number} of {rounds}")
        started.append(8 / seconds(partial(_afresh, session, 8)))
        with another(session) as executor:
            run_cases(executor, 20)  # warm: the translator's cache, the guest's slabs
            batched.append(400 / seconds(partial(run_cases, executor, 400)))
            predicted.append(400 / seconds(partial(_predict, model, 400)))
            exchanged.append(60 / seconds(partial(_one_by_one, executor, 60)))
    return (
        Ratio(f"{lane}: batched / one agent a case", "cases/s", tuple(batched), tuple(started), "at least 10"),
        Ratio(f"{lane}: batched / one exchange a case", "cases/s", tuple(batched), tuple(exchanged), ""),
        Ratio(f"{lane}: the model / batched", "cases/s", tuple(predicted), tuple(batched), "at least 1"),
    )


def another(session: Session[Target]) -> GuestExecutor:
    """Returns an executor with an agent of its own; the session's, which was there first, ends when one is started."""
    return GuestExecutor(session.target, session.executor.guest)


def _one_by_one(executor: GuestExecutor, count: int) -> None:
    for _ in range(count):
        run_cases(executor, 1)


def _afresh(session: Session[Target], count: int) -> None:
    for _ in range(count):
        with another(session) as executor:
            run_cases(executor, 1)


def _predict(model: ModelExecutor, count: int) -> None:
    for _ in range(count):
        model.run(CASE)


def run_cases(executor: GuestExecutor, count: int) -> None:
    """Runs so many cases; raises BenchError when one is lost."""
    run_all(executor, [CASE] * count, TOGETHER)


def run_all(executor: GuestExecutor, scripts: Sequence[Script], together: int = 1) -> list[Observed]:
    """Runs scripts, `together` in a process, and returns what was seen of each; raises BenchError when one is lost,
    which would be a fast one."""
    found = []
    for seen in executor.run(scripts, together=together):
        if isinstance(seen, Missed):
            raise BenchError(f"a benchmark case was lost: {seen.reason}")
        found.append(seen)
    return found
