# SPDX-License-Identifier: MIT
"""What a worker asks others for: what is known of a result, and the model's predictions; no guest takes part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.fuzz.campaign.work import understood
from harness.lane import Engine, Lane
from harness.model.executor import ModelExecutor
from harness.run.known import KnownDivergence
from harness.run.plan import Share
from harness.run.results import ScriptResult
from harness.run.worker import Worker
from harness.script.expectation import SUCCESS
from harness.script.operations import Close, CreateMap, MapType, Script
from harness.script.outcome import Outcome, Prediction
from tests.fakes import FakeExecutor, replace_machines
from tests.harness.kernel_bugs.fakes import LANE, WRONG, replace_machines_by_erring, showing


class Silent:
    def state(self, share: Share, text: str) -> None:
        pass

    def done(self, lane: Lane, result: ScriptResult) -> None:
        pass


def share(*scripts: Script, engines: tuple[Engine, ...] = (LANE.engine,)) -> Share:
    """Returns a share of which nothing is known."""
    return Share(LANE.kernel, LANE.arch, engines, scripts)


def verdicts(worker: Worker) -> dict[str, Verdict]:
    """Returns the verdicts that a worker comes to, by script."""
    worker.run()
    return {result.script: result.verdict for result in worker.results}


def test_what_is_known_is_asked_for_where_a_script_needs_an_excuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def about(result: ScriptResult) -> Sequence[KnownDivergence]:
        asked.append(result.script)
        return (KnownDivergence("refused", str(LANE), "Close(*", "it is known", "https://example.org/1"),)

    def says(operation: object) -> Outcome:
        return Outcome(errno="EBADF") if operation == Close(101) else Outcome(value=0)

    replace_machines(monkeypatch, executor=lambda target, guest, **_: FakeExecutor(target, guest, says=says))
    scripts = (
        Script("closed", "", (Close(100),), expected=(SUCCESS,)),
        Script("refused", "", (Close(101),), expected=(SUCCESS,)),
        Script("another", "", (Close(101),), expected=(SUCCESS,)),
    )
    worker = Worker(share(*scripts), tmp_path, Silent(), about=about)
    assert verdicts(worker) == {"closed": Verdict.AGREE, "refused": Verdict.KNOWN, "another": Verdict.DIVERGE}
    assert worker.results[1].reason.startswith("it is known (https://example.org/1); operation 0, ")
    assert set(asked) == {"refused", "another"}


def test_what_is_known_of_an_error_that_the_model_computes_excuses_what_the_error_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_machines_by_erring(monkeypatch, {"wrong": WRONG, "odd": WRONG + 1})
    scripts = (showing("wrong"), showing("odd"))
    entries = understood(share(*scripts), scripts)
    assert {(one.script, bool(one.fault)) for one in entries} == {("wrong", True), ("odd", True)}
    worker = Worker(share(*scripts), tmp_path, Silent(), about=lambda _: entries)
    assert verdicts(worker) == {"wrong": Verdict.KNOWN, "odd": Verdict.DIVERGE}


def test_the_model_is_asked_once_for_what_is_the_same_on_both_engines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Asked(ModelExecutor):
        def run(self, script: Script, end: int | None = None, seen: Sequence[Outcome] = ()) -> list[Prediction]:
            asked.append(script.name)
            return super().run(script, end, seen)

    replace_machines(
        monkeypatch,
        executor=lambda target, guest, **_: FakeExecutor(target, guest, says=lambda _: Outcome(value=3)),
    )
    scripts = tuple(Script(name, "", (CreateMap("map", MapType.ARRAY, 4, 8, 1),)) for name in ("first", "second"))
    worker = Worker(share(*scripts, engines=tuple(Engine)), tmp_path, Silent(), Asked)
    worker.run()
    assert [(result.lane.split("/")[2], result.script, result.verdict) for result in worker.results] == [
        (str(engine), script.name, Verdict.AGREE) for engine in Engine for script in scripts
    ]
    assert asked == ["first", "second"]
