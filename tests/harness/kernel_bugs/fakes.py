# SPDX-License-Identifier: MIT
"""A kernel with an error that is known, and scripts whose program shows it; no guest takes part."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.kernel_bugs.bugs import bugs
from harness.lane import Engine, Lane
from harness.lowering.context import Guest
from harness.lowering.executor import Observed
from harness.script.operations import CreateMap, LoadProgram, Operation, RunSocketFilter, Script
from harness.script.outcome import Outcome
from tests.fakes import FakeExecutor, replace_machines

LANE = Lane("debian-12", "arm64", Engine.JIT)
"""A lane with the error, which is one that the model computes."""
(BUG,) = (one for one in bugs() if one.id == "tail-call-ends-function")
RIGHT, WRONG = int(BUG.right), int(BUG.wrong)


def showing(name: str) -> Script:
    """Returns a script of this name with the program that shows the error."""
    return replace(BUG.script(), name=name)


class Erring(FakeExecutor):
    """Every program of a script returns what `verdicts` has for the script; all else succeeds."""

    def __init__(self, target: Any, guest: Guest, verdicts: Mapping[str, int]) -> None:
        super().__init__(target, guest)
        self._verdicts = verdicts

    def keep_probes(self, symbols: Collection[str], together: int) -> None:
        pass

    def run(self, scripts: Sequence[Script], *, together: int = 1) -> Iterator[Observed]:
        for script in scripts:
            yield Observed(script, tuple(self._given(script, one) for one in script.operations), 0.0)

    def _given(self, script: Script, operation: Operation) -> Outcome:
        if isinstance(operation, RunSocketFilter):
            return Outcome(value=self._verdicts[script.name])
        return Outcome(value=3 if isinstance(operation, CreateMap | LoadProgram) else 0)


def replace_machines_by_erring(monkeypatch: pytest.MonkeyPatch, verdicts: Mapping[str, int]) -> None:
    """Sessions have an `Erring` as their executor."""
    replace_machines(monkeypatch, executor=lambda target, guest, **_: Erring(target, guest, verdicts))
