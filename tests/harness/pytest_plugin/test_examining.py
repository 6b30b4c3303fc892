# SPDX-License-Identifier: MIT
"""`--hil-on-divergence lockstep`: which scripts of tests are run once more, and where what is found goes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.lane import Engine, Lane
from harness.lockstep import explaining
from harness.lockstep.findings import Examined
from harness.pytest_plugin.examining import Examination
from harness.pytest_plugin.failures import Diverged
from harness.pytest_plugin.guest import LaneGuest
from harness.run.examining import MOST
from harness.run.results import ScriptResult
from harness.script.clause import expect
from harness.script.operations import Close, Script
from harness.script.outcome import Outcome
from harness.session import Listener
from tests.fakes import fake_executor, fake_session

pytest_plugins = ["pytester"]

LANE = Lane("debian-12", "arm64", Engine.JIT)
SCRIPT = Script("it", "one", (Close(-1),))
FOUND = Examined(runs=1, steps=9)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders of the machines that were booted with the recorder."""
    made: list[Path] = []

    def explain(lane: Lane, scripts: Sequence[Script], folder: Path, listener: Listener) -> dict[str, Examined]:
        made.append(folder)
        return {script.name: FOUND for script in scripts}

    monkeypatch.setattr(explaining, "explain", explain)
    return made


def diverged(verdict: Verdict = Verdict.DIVERGE) -> ScriptResult:
    return ScriptResult(str(LANE), "it", verdict, "why")


def test_a_divergence_is_examined_with_files_of_its_own(asked: list[Path], tmp_path: Path) -> None:
    examination = Examination(tmp_path, lambda _: None)
    found = [examination(LANE, SCRIPT, diverged()) for _ in range(2)]
    assert [one.lockstep for one in found] == [FOUND, FOUND]
    assert len(set(asked)) == 2 and all(folder.parent == tmp_path for folder in asked)


def test_of_many_on_a_lane_the_first_are_examined(asked: list[Path], tmp_path: Path) -> None:
    examination = Examination(tmp_path, lambda _: None)
    assert [bool(examination(LANE, SCRIPT, diverged()).lockstep) for _ in range(MOST + 1)] == [True] * MOST + [False]
    assert examination(Lane("debian-12", "arm64", Engine.INTERP), SCRIPT, diverged()).lockstep


def test_lanes_that_disagree_with_each_other_are_not_held_against_the_model(asked: list[Path], tmp_path: Path) -> None:
    assert Examination(tmp_path, lambda _: None)(LANE, SCRIPT, diverged(Verdict.DISAGREE)).lockstep is None
    assert not asked


def test_the_report_of_the_test_has_what_is_found(asked: list[Path], tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    log.write_text("")
    session = fake_session(fake_executor(lambda _: Outcome(errno="EBADF")), log)
    guest = LaneGuest("test_it", LANE, session, examine=Examination(tmp_path, lambda _: None))
    with pytest.raises(Diverged) as caught:
        guest.check(expect(Close(-1), 0))
    assert caught.value.result.lockstep == FOUND
    assert any("lockstep with the model: 1 runs, 9 steps" in text for _, text in guest.sections(failed=True))


@pytest.mark.parametrize(("options", "there"), [((), False), (("--hil-on-divergence", "lockstep"), True)])
def test_it_is_done_on_request(pytester: pytest.Pytester, options: Sequence[str], there: bool) -> None:
    pytester.makepyfile(f"def test_it(_hil_examination): assert bool(_hil_examination) is {there}")
    pytester.runpytest_inprocess(*options).assert_outcomes(passed=1)
