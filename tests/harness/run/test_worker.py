"""What a worker makes of results, and of being stopped, without any guest."""

from __future__ import annotations

import _thread
import json
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.compare import Verdict
from harness.lane import Engine, Lane
from harness.lowering.executor import Observed
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.run import matrix
from harness.run.plan import Share
from harness.run.results import ScriptResult
from harness.run.worker import Worker, judge
from harness.script.expectation import SUCCESS
from harness.script.operations import Close, Script
from harness.script.outcome import Outcome

LANE = Lane("debian-12", "arm64", Engine.JIT)
MODEL = ModelExecutor(Environment(era="6.1", arch="arm64", version_code=0x601C0))
UNPREDICTED = Script("s", "closes what it did not make", (Close(100), Close(101)))
CLOSED = (Outcome(value=0), Outcome(value=0))


def test_a_script_of_which_nothing_is_compared_does_not_agree() -> None:
    result = judge(LANE, Observed(UNPREDICTED, CLOSED, 0.0), MODEL)
    assert result.verdict is Verdict.UNSUPPORTED
    assert result.reason.startswith("nothing of it is predicted")
    assert len(result.unpredicted) == 2


def test_a_clause_alone_is_something_to_compare_with() -> None:
    script = Script("s", "", UNPREDICTED.operations, expected=(None, SUCCESS))
    assert judge(LANE, Observed(script, CLOSED, 0.0), MODEL).verdict is Verdict.AGREE
    refused = (Outcome(value=0), Outcome(errno="EBADF"))
    assert judge(LANE, Observed(script, refused, 0.0), MODEL).verdict is Verdict.DIVERGE


class Silent:
    def state(self, share: Share, text: str) -> None:
        pass

    def done(self, lane: Lane, result: ScriptResult) -> None:
        pass


def test_a_worker_that_is_stopped_while_it_fetches_its_kernel_boots_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Unwanted:
        def __init__(self, *_: object) -> None:
            self.command = ()

        def stop(self) -> None:
            pass

        def __enter__(self) -> None:
            raise AssertionError("a machine was booted")

        def __exit__(self, *_: object) -> None:
            pass

    worker = Worker(Share("debian-12", "arm64", (Engine.JIT,), (UNPREDICTED,)), tmp_path, Silent())

    def fetch(*_: object, **__: object) -> object:
        worker.stop()
        return SimpleNamespace(provenance={}, name="debian-12")

    monkeypatch.setattr("hil.kernels.store.get", fetch)
    monkeypatch.setattr("hil.guestroot.build", lambda _: None)
    monkeypatch.setattr("harness.run.worker.MachineSpec", lambda *_: None)
    monkeypatch.setattr("harness.run.worker.Machine", Unwanted)
    worker.run()
    (result,) = worker.results
    assert (result.verdict, "stopped" in result.reason) == (Verdict.LOST, True), result


def test_an_interrupt_gives_a_verdict_to_what_had_not_begun_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = threading.Event()
    fetched: list[str] = []

    def fetch(name: str, *_: object, **__: object) -> object:
        fetched.append(name)
        _thread.interrupt_main()
        assert stopped.wait(60)
        return SimpleNamespace(provenance={}, name=name)

    class Told(Worker):
        def stop(self) -> None:
            super().stop()
            if self.share.kernel == "first":
                stopped.set()

    monkeypatch.setattr("hil.kernels.store.get", fetch)
    monkeypatch.setattr("hil.guestroot.build", lambda _: None)
    monkeypatch.setattr("harness.run.worker.MachineSpec", lambda *_: None)
    monkeypatch.setattr("harness.run.worker.Machine", lambda _: SimpleNamespace(stop=lambda: None, command=()))
    monkeypatch.setattr("harness.run.matrix.Worker", Told)
    shares = [Share(name, "arm64", (Engine.JIT,), (UNPREDICTED,)) for name in ("first", "second")]
    with pytest.raises(KeyboardInterrupt):
        matrix.run(shares, tmp_path, Silent(), jobs=1)
    assert fetched == ["first"]
    results = json.loads((tmp_path / "results.json").read_text())["results"]
    assert [(result["lane"], result["verdict"]) for result in results] == [
        ("first/arm64/jit", "lost"),
        ("second/arm64/jit", "lost"),
    ]
