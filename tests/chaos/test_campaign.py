# SPDX-License-Identifier: MIT
"""Tests that the campaign detects what is wrong, by kinds that are wrong on purpose."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.chaos import campaign
from tests.chaos.campaign import Judged, carry_out, order
from tests.chaos.home import Home, place
from tests.chaos.kind import Kind
from tests.chaos.kinds import every
from tests.chaos.trial import Missing, Trial


class Harmless(Kind):
    """`hil --version`, which ends without an error."""

    name = "harmless"

    def inject(self, trial: Trial) -> None:
        trial.strike()
        trial.start(["--version"])

    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        if codes != [0]:
            yield f"{codes}"


class Slow(Harmless):
    bound = 0.0


class Wrong(Harmless):
    def judge(self, trial: Trial, codes: Sequence[int]) -> Iterator[str]:
        yield "it is wrong"


class LeavesAProcess(Harmless):
    def inject(self, trial: Trial) -> None:
        super().inject(trial)
        subprocess.Popen(["sleep", "600"], env=trial.environment, start_new_session=True)


class LeavesAFolder(Harmless):
    def inject(self, trial: Trial) -> None:
        super().inject(trial)
        (trial.home.runtime / "hil-machine-left").mkdir()


class NeverPrints(Harmless):
    def inject(self, trial: Trial) -> None:
        super().inject(trial)
        trial.until("a line that it never prints")


class Traces(Harmless):
    def inject(self, trial: Trial) -> None:
        super().inject(trial)
        trial.end()
        trial.child.lines.append((0.0, "Traceback (most recent call last):"))


class Lacking(Harmless):
    def inject(self, trial: Trial) -> None:
        raise Missing("a thing")


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for empty homes."""
    monkeypatch.setattr(campaign.homes, "seed", Home)
    monkeypatch.setattr(campaign.homes, "copy", lambda _, path: Home(path))
    monkeypatch.setattr("tests.chaos.trial.GONE", 0.1)
    folder = place()
    yield folder
    subprocess.run(["rm", "-r", folder], check=True)


def judged(kind: Kind, folder: Path) -> Judged:
    (one,) = carry_out({1: kind}, 1, 1, folder, lambda _: None)
    return one


def test_what_is_right_is_right(folder: Path) -> None:
    one = judged(Harmless(), folder)
    assert not one.wrong and not one.skipped and one.notice is not None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Slow(), "noticed after"),
        (Wrong(), "it is wrong"),
        (LeavesAProcess(), "still running: .*sleep 600"),
        (LeavesAFolder(), "left-over files: run/hil-machine-left"),
        (NeverPrints(), "it never printed 'a line that it never prints'"),
        (Traces(), "Traceback"),
    ],
)
def test_what_is_wrong_is_reported(kind: Kind, expected: str, folder: Path) -> None:
    assert any(re.search(expected, line) for line in judged(kind, folder).wrong)


def test_what_cannot_be_injected_is_skipped(folder: Path) -> None:
    one = judged(Lacking(), folder)
    assert (one.wrong, one.skipped) == ([], "a thing")


def test_a_seed_decides_the_kinds_and_every_one_has_its_turn() -> None:
    kinds = every()
    whole = sum(kind.weight for kind in kinds)
    assert order(kinds, 1, 50) == order(kinds, 1, 300)[:50] != order(kinds, 2, 50)
    assert set(order(kinds, 1, whole)) == set(kinds)


def test_names_are_unique_and_say_something() -> None:
    kinds = every()
    assert len({kind.name for kind in kinds}) == len(kinds)
    assert all(kind.__doc__ for kind in kinds)
