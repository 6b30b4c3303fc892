# SPDX-License-Identifier: MIT
"""What a benchmark measures must be what it says: a lost case is no fast one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from harness.benchmarks import batching
from harness.benchmarks.model import WHERE
from harness.lowering.context import Guest
from harness.lowering.executor import Missed, Observed
from harness.model.executor import ModelExecutor
from harness.script.operations import Script
from harness.script.outcome import Unpredicted
from hil.errors import BenchError
from tests.fakes import FakeExecutor, FakeTarget, fake_kernel, fake_session


class Executor(FakeExecutor):
    """Keeps how much it was given."""

    def __init__(self, lost: bool = False) -> None:
        super().__init__(FakeTarget(), Guest.of(fake_kernel()))
        self.runs: list[tuple[int, int]] = []
        self._lost = lost

    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed | Missed]:
        self.runs.append((len(scripts), together))
        for script in scripts:
            yield Missed(script, None, "gone") if self._lost else Observed(script, (), 0.1)


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Executor:
    made = Executor()
    monkeypatch.setattr(batching, "GuestExecutor", lambda *_: made)
    return made


def test_three_ratios_of_so_many_rounds(executor: Executor) -> None:
    ratios = batching.batching_ratios(fake_session(executor), 2, lambda _: None)
    assert [len(ratio.pairs) for ratio in ratios] == [2, 2, 2]
    assert {count for count, _ in executor.runs} == {20, 400, 1}


def test_a_lost_case_ends_the_measurement() -> None:
    with pytest.raises(BenchError, match="gone"):
        batching.run_cases(Executor(lost=True), 1)


def test_the_case_is_one_the_model_knows_all_of() -> None:
    predictions = ModelExecutor(WHERE).run(batching.CASE)
    assert len(predictions) == len(batching.CASE.operations)
    assert not [one for one in predictions if isinstance(one, Unpredicted)]
