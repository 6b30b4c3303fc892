# SPDX-License-Identifier: MIT
"""Fuzzing is measured as campaigns do it, beside groups that keep nothing; and memory in a process of its own."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.benchmarks import fuzzing
from harness.benchmarks.spending import LOADING, MAPS, RUNNING
from harness.core_scripts.parts import PRCTL
from harness.fuzz.campaign import slots
from harness.fuzz.campaign.work import Task
from harness.lane import Engine
from harness.lowering.context import Guest
from harness.lowering.engine import EngineUnavailable
from harness.lowering.executor import Missed, Observed
from harness.script.operations import Script
from harness.script.outcome import Outcome
from tests.fakes import FakeExecutor, FakeTarget, fake_kernel, fake_session


class Executor(FakeExecutor):
    """Keeps how much it was given, and what was probed then."""

    def __init__(self) -> None:
        super().__init__(FakeTarget(), Guest.of(fake_kernel()))
        self.runs: list[tuple[int, int, tuple[str, ...]]] = []
        self.engines: list[Engine] = []
        self.lacks: Engine | None = None
        self._probed: tuple[str, ...] = ()

    def switch(self, engine: Engine) -> None:
        self.engines.append(engine)
        if engine is self.lacks:
            raise EngineUnavailable("it is not built in")

    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed | Missed]:
        self.runs.append((len(scripts), together, self._probed))
        return (Observed(script, (Outcome(value=0),) * len(script.operations), 0.1) for script in scripts)

    def keep_probes(self, symbols: Collection[str], together: int) -> None:
        self._probed = tuple(symbols)


class Slot:
    """Has a mebibyte more with every task."""

    def __init__(self, _: object) -> None:
        self.resident = 100 << 20
        self.tasks: list[Task] = []

    def give(self, task: Task) -> None:
        self.tasks.append(task)

    def take(self) -> None:
        self.resident += 1 << 20

    def end(self) -> None:
        pass


@pytest.fixture(autouse=True)
def timed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """How many cases were timed in the guest, and how many in a process."""
    asked: list[tuple[int, int]] = []

    def spent(_: object, scripts: Sequence[Script], together: int) -> dict[str, float]:
        asked.append((len(scripts), together))
        return {LOADING: 0.002 * len(asked), RUNNING: 0.001 * len(asked), MAPS: 0.5}

    monkeypatch.setattr(fuzzing, "spent", spent)
    return asked


@pytest.fixture(autouse=True)
def armed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The functions that are probed on the other machine."""
    there: list[tuple[str, ...]] = []
    monkeypatch.setattr(fuzzing, "keep_armed", lambda target, tracing, symbols: there.append(symbols))
    return there


def test_the_baseline_is_groups_without_what_campaigns_keep(
    monkeypatch: pytest.MonkeyPatch, armed: list[tuple[str, ...]]
) -> None:
    monkeypatch.setattr(fuzzing, "COUNT", 6)
    kept, beside = Executor(), Executor()
    monkeypatch.setattr(fuzzing, "another", lambda _: beside)
    measured = fuzzing.fuzzing_ratios(fake_session(kept), fake_session(Executor()), 2, lambda _: None)
    fast, _, model = measured.ratios
    assert kept.runs == [(6, fuzzing.TOGETHER, (PRCTL,))] * 6  # warm, then twice, on two engines
    assert beside.runs == [(6, fuzzing.TOGETHER, ())] * 3 and armed == [(PRCTL,)]
    assert kept.engines == [Engine.INTERP, Engine.JIT] * 4
    assert len(fast.pairs) == len(model.pairs) == 2  # the first time is not measured


def test_the_most_that_any_way_could_be_is_what_loading_and_running_take(
    monkeypatch: pytest.MonkeyPatch, timed: list[tuple[int, int]]
) -> None:
    monkeypatch.setattr(fuzzing, "COUNT", 6)
    monkeypatch.setattr(fuzzing, "another", lambda _: Executor())
    measured = fuzzing.fuzzing_ratios(fake_session(Executor()), fake_session(Executor()), 2, lambda _: None)
    fast, most, _ = measured.ratios
    assert timed == [(6, fuzzing.TOGETHER)] * 2
    assert most.measured == pytest.approx((1 / 0.003, 1 / 0.006)) and most.baseline == fast.baseline
    assert measured.spent == pytest.approx({LOADING: 0.003, RUNNING: 0.0015, MAPS: 0.5})


def test_a_kernel_that_has_one_engine_is_measured_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "COUNT", 6)
    kept = Executor()
    kept.lacks = Engine.INTERP
    monkeypatch.setattr(fuzzing, "another", lambda _: Executor())
    fast, _, model = fuzzing.fuzzing_ratios(fake_session(kept), fake_session(Executor()), 1, lambda _: None).ratios
    assert kept.engines == [Engine.INTERP, Engine.JIT, Engine.JIT, Engine.JIT]
    assert model.baseline == fast.measured


def test_memory_is_compared_with_that_after_a_tenth_of_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzzing, "Slot", Slot)
    count = 20 * fuzzing.RANGE
    ratio = fuzzing.memory_ratio("linux-4.1", "x86_64", Path("/"), count, lambda _: None)
    assert (ratio.measured, ratio.baseline) == ((120.0,), (102.0,))
    assert f"{count} / {count // 10} cases" in ratio.name


def test_the_memory_of_a_slot_is_that_of_its_process() -> None:
    slot = object.__new__(slots.Slot)
    slot._process = SimpleNamespace(pid=os.getpid())  # type: ignore[assignment]
    assert 1 << 20 < slot.resident < 1 << 34
