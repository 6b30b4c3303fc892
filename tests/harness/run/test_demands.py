# SPDX-License-Identifier: MIT
"""A run that does not do what was demanded of it fails wherever one looks for it later."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core_scripts import core_scripts
from harness.history.store import History
from harness.jobs.artifacts import EVERYTHING
from harness.lane import Engine
from harness.run import document, matrix
from harness.run.demands import Demands
from harness.run.plan import Share
from hil.kernels.store import NotCached
from tests.harness.run.test_worker import Silent


def test_a_demand_that_is_not_met_is_in_the_record_and_in_the_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> object:
        raise NotCached("there is no such kernel here")

    monkeypatch.setattr("harness.run.worker.store.get", missing)
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    plan = [Share("debian-12", "arm64", (Engine.JIT,), core_scripts("arm64", "6.1")[:1])]
    made = matrix.run(plan, tmp_path, Silent(), demands=Demands(("debian-12",)), artifacts=EVERYTHING)
    assert made.broken == ("--require debian-12",)
    assert document.read(tmp_path / "results.json") == made
    assert "the run fails because of --require debian-12" in (tmp_path / "report.html").read_text()
    assert History().get().report == made
