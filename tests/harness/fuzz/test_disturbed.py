# SPDX-License-Identifier: MIT
"""What `make disturbed` compares campaigns with, and what it refuses; the campaigns are made up."""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.fuzz.campaign import plan
from harness.fuzz.campaign.journal import Journal
from harness.fuzz.campaign.plan import Campaign, Place
from harness.fuzz.finding.files import FOLDER
from harness.lane import Engine
from harness.run.results import Tally
from tests.campaigns import __main__ as disturbed
from tests.campaigns.__main__ import Outcome, Way, killed, main
from tests.harness.fuzz.campaign.fakes import entries

LANES = "debian-12/x86_64"


def recorded(folder: Path, *, through: int = 16, seed: int = 7) -> None:
    """A campaign of 16 cases."""
    place = Place("debian-12", "x86_64", tuple(Engine), "6.1")
    one = Campaign("programs", seed, 0, 16, (place,), generator=plan.generator())
    (folder / FOLDER).mkdir(parents=True)
    one.write(folder)
    with Journal(folder) as journal:
        for entry in entries(through, 8):
            journal.append(replace(entry, tallies=tuple(Tally(lane, {"agree": 8}) for lane in one.lanes), findings=()))


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For a campaign that is there at once when it is begun."""

    def begin(way: Way, *_: str) -> subprocess.Popen[bytes]:
        recorded(way.folder / "run")
        return subprocess.Popen([sys.executable, "-c", ""])

    monkeypatch.setattr(Way, "begin", begin)
    return ["--lanes", LANES, "--cases", "16", "--seed", "7", "--output", str(tmp_path)]


@pytest.mark.parametrize("wrong", [["--ways", "typo"], ["--ways", "alone,typo"], ["--ways", ""], ["--kills", "0"]])
def test_ways_that_are_none_are_refused(
    wrong: list[str], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main([*arguments, *wrong])
    assert refused.value.code == 2
    assert "is no way: there are alone, killed" in (said := capsys.readouterr().err) or "at least 1" in said


def test_a_way_is_compared_with_the_one_that_was_left_alone(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def sharded(way: Way, _: argparse.Namespace) -> str:
        way.begin().wait()
        (way.folder / "run" / FOLDER / "more.json").touch()
        return "another"

    monkeypatch.setattr(disturbed, "WAYS", (disturbed.alone, sharded))
    with pytest.raises(SystemExit, match="no campaign to compare with: run alone, too"):
        main([*arguments, "--ways", "sharded"])
    assert not (tmp_path / "sharded").exists()
    assert main([*arguments, "--ways", "alone"]) == 0
    assert main([*arguments, "--ways", "sharded"]) == 1
    assert "DIFFERENT: files" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (["--cases", "32"], "cases"),
        (["--seed", "8"], "seed"),
        (["--lanes", "debian-12/arm64"], "lanes"),
        (["--lanes", "debian-12/x86_64/jit"], "lanes"),
    ],
)
def test_another_campaign_is_nothing_to_compare_with(
    change: list[str], word: str, arguments: list[str], tmp_path: Path
) -> None:
    recorded(tmp_path / "alone" / "run")
    with pytest.raises(SystemExit, match=f"is another campaign, by its {word}: run alone, too"):
        main([*arguments, *change, "--ways", "killed"])


def test_one_that_is_not_through_is_nothing_to_compare_with(arguments: list[str], tmp_path: Path) -> None:
    recorded(tmp_path / "alone" / "run", through=8)
    with pytest.raises(SystemExit, match="by its end: run alone, too"):
        main([*arguments, "--ways", "killed"])


def test_a_campaign_that_nothing_killed_is_no_killed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = argparse.Namespace(output=str(tmp_path), lanes=LANES, seed=7, cases=16, kills=3)
    codes = iter(("", "import time; time.sleep(60)", ""))
    monkeypatch.setattr(Way, "resume", lambda _: subprocess.Popen([sys.executable, "-c", next(codes)]))
    moments = iter((60.0, 0.1))
    monkeypatch.setattr("random.Random.uniform", lambda *_: next(moments))
    with pytest.raises(SystemExit, match="through before anything killed it"):
        killed(Way("one", options), options)
    options.kills = 1
    assert killed(Way("two", options), options) == "1 kills, 0 of them behind a range that was through"


def test_files_are_compared_where_ranges_are_as_large(tmp_path: Path) -> None:
    recorded(tmp_path / "a")
    one = Outcome.of(tmp_path / "a")
    other = replace(one, files=("more.json",))
    assert one.differing(other) == ["files"]
    assert one.differing(replace(other, size=1024)) == []
    assert one.differing(replace(other, size=1024, cases=())) == ["cases"]
