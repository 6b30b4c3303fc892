# SPDX-License-Identifier: MIT
"""Verdicts that the model keeps for the same program on the other engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.fuzz.generate import cases
from harness.lane import Engine
from harness.model.environment import Environment
from harness.model.executor import ModelExecutor
from harness.model.interface import verification
from harness.script.outcome import Prediction

COUNT = 60


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    verification._said.clear()
    yield
    verification._said.clear()


def predicted(lane: Environment, *, kept: bool) -> Iterator[list[Prediction]]:
    for script in cases(7, COUNT, lane.rules):
        if not kept:
            verification._said.clear()
        yield ModelExecutor(lane).run(script)


@pytest.mark.parametrize(
    ("era", "arch", "version"), [("4.1", "x86_64", 0x40134), ("6.1", "x86_64", 0x601C0), ("7.2", "arm64", 0x70205)]
)
def test_predictions_do_not_depend_on_what_is_kept(
    era: str, arch: str, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Environment(era=era, arch=arch, version_code=version, engine=engine) for engine in Engine)
    alone = list(predicted(other, kept=False))
    verification._said.clear()
    list(predicted(one, kept=True))
    asked: list[object] = []
    judged = verification._judged
    monkeypatch.setattr(verification, "_judged", lambda *given: asked.append(given) or judged(*given))
    assert list(predicted(other, kept=True)) == alone
    assert len(asked) < COUNT / 2, "engines do not share verdicts"
