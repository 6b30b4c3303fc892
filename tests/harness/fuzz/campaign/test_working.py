# SPDX-License-Identifier: MIT
"""What a campaign's process makes of findings where it cannot make them smaller; no guest takes part."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.compare import Verdict
from harness.fuzz.campaign import running, work
from harness.fuzz.campaign.journal import Journal
from harness.fuzz.campaign.totals import Totals
from harness.fuzz.campaign.work import Done, Task
from harness.fuzz.finding.judging import Shrunk
from harness.run.results import ScriptResult
from hil.errors import BenchError, HilError, MachineLost
from hil.kernels import store
from tests.harness.fuzz.campaign.fakes import PLACES, campaign

(PLACE, *_) = PLACES
LANE = PLACE.lanes[0]


class Kept:
    """A session that lives until it is closed."""

    def __init__(self) -> None:
        self.current: Any = SimpleNamespace(
            executor=SimpleNamespace(switch=lambda _: None), environment=lambda _: None, target=None
        )

    def close(self, *, keep: bool = False) -> None:
        assert keep, "what happened to the machine is in its files"
        self.current = None


def shrunk(monkeypatch: pytest.MonkeyPatch, error: Exception) -> list[Shrunk]:
    """Returns what becomes of three findings, of which the second one ends with an error when it is made smaller."""

    def smaller(_: object, lane: object, script: Any, result: ScriptResult, model: object) -> Shrunk:
        if script.name == "case-1-1":
            raise error
        return Shrunk(result, script, result, 1)

    monkeypatch.setattr(work, "_kept", Kept())
    monkeypatch.setattr(work, "ModelExecutor", lambda _: None)
    monkeypatch.setattr(work, "shrunk", smaller)
    scripts = work.made("programs", 1, range(3), PLACE)
    results = [
        ScriptResult(str(LANE), one.name, Verdict.DIVERGE, f"it differs, {number}")
        for number, one in enumerate(scripts)
    ]
    monkeypatch.setattr(work, "SHRUNK", len(results))
    worker: Any = SimpleNamespace(results=results)
    return list(work._shrunk(worker, {one.name: one for one in scripts}, PLACE))


@pytest.mark.parametrize(
    ("error", "why"), [(ValueError("a fault"), "ValueError('a fault')"), (MachineLost("it panicked"), "it panicked")]
)
def test_an_error_while_a_finding_is_made_smaller_costs_its_small_form_only(
    error: Exception,
    why: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = shrunk(monkeypatch, error)
    assert [one.whole for one in found] == ["", why, "its machine was gone"]
    assert [one.found.script for one in found] == ["case-1-0", "case-1-1", "case-1-2"]
    assert "case-1-1 is not made smaller" in caplog.text

    def done(task: Task) -> Done:
        return Done(task, (), tuple(one.found for one in found), shrunk=tuple(found))

    one = campaign(8, places=(PLACE,))
    one.write(tmp_path)
    kept = running._Running(one, tmp_path, False, Totals(one.lanes), Journal(tmp_path), None, None, None)  # type: ignore[arg-type]
    kept._keep([done(Task(PLACE, "programs", 1, range(8), tmp_path))])
    files = [json.loads(path.read_text()) for path in (tmp_path / "findings").glob("*.json")]
    assert {file["origin"]["case"]: file.get("whole") for file in files} == {
        one.found.script: one.whole or None for one in found
    }
    assert f"case-1-1 on {LANE} is kept as it was found, not made smaller: {why}" in caplog.text


@pytest.mark.parametrize(
    "failure",
    [BenchError("no disk"), store.NotCached("no kernel"), MachineLost("it does not boot"), OSError(28, "no space")],
)
def test_cases_that_nothing_ran_are_not_through(
    failure: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise failure

    monkeypatch.setattr("harness.run.worker.prepare", fails)
    with pytest.raises(HilError, match=str(failure.args[-1])):
        work.carry_out(Task(PLACE, "programs", 1, range(2), tmp_path))


def test_what_was_found_before_the_bench_failed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def __init__(self, *_: object, **__: object) -> None:
            self.results = [
                ScriptResult(str(LANE), "case-1-0", Verdict.AGREE),
                ScriptResult(str(LANE), "case-1-1", Verdict.DIVERGE, "it differs"),
            ]
            self.failure = BenchError("no disk", details="full")

        def run(self) -> None:
            pass

    monkeypatch.setattr(work, "Worker", Failing)
    with pytest.raises(BenchError) as caught:
        work.carry_out(Task(PLACE, "programs", 1, range(2), tmp_path))
    assert caught.value.details == f"full\nbefore that, {LANE} case-1-1: it differs"
