# SPDX-License-Identifier: MIT
"""What `hil fuzz` says without a machine."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.compare import Verdict
from harness.fuzz.campaign.plan import Place
from harness.fuzz.commands import fuzz, paces
from harness.fuzz.finding.files import write
from harness.fuzz.finding.judging import whole
from harness.fuzz.generate import cases
from harness.fuzz.replaying import replay
from harness.lane import Engine
from harness.model.eras import era
from harness.run.results import RunReport, ScriptResult
from hil.errors import UserError
from tests.harness.fuzz.campaign.fakes import PLACES
from tests.harness.kernel_bugs.fakes import BUG, WRONG, replace_machines_by_erring, showing

SCRIPTS = tuple(cases(1, 8, era("6.1", "arm64")))
LANE = "debian-12/arm64/jit"


def report(*results: ScriptResult) -> RunReport:
    return RunReport("2026-01-01", 10.0, (), {}, (LANE,), (), results)


def test_wrong_usage() -> None:
    runner = CliRunner()
    assert runner.invoke(fuzz, ["--cases", "0"]).exit_code == 2
    assert runner.invoke(fuzz, ["--seed", "-1"]).exit_code == 2
    error = runner.invoke(fuzz, ["--lanes", "debian-21"]).exception
    assert isinstance(error, UserError) and "debian-21" in str(error)
    error = runner.invoke(fuzz, ["--case", "3"]).exception
    assert isinstance(error, UserError) and "--seed" in str(error)


def test_dask_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "harness.fuzz.campaign.cluster", None)
    monkeypatch.setattr("harness.fuzz.commands.chosen", lambda *_: PLACES)
    options = ["--dask", "local:2", "--seed", "1", "--cases", "1", "--output", str(tmp_path)]
    error = CliRunner().invoke(fuzz, options).exception
    assert isinstance(error, UserError) and "needs dask.distributed" in str(error) and "hil[dask]" in error.remedy
    error = CliRunner().invoke(fuzz, [*options, "--jobs", "2"]).exception
    assert isinstance(error, UserError) and "--dask does not go with --jobs" in str(error)


def test_paces() -> None:
    results = [ScriptResult(LANE, script.name, Verdict.AGREE, seconds=0.01) for script in SCRIPTS]
    assert list(paces(report(*results))) == [f"{LANE}: 100 cases/s in the guest", "0.8 cases/s with everything"]


def test_what_cannot_be_gone_on_with_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, word in (
        (["--resume", str(tmp_path)], "campaign.json"),
        (["--merge", str(tmp_path), "--output", str(tmp_path / "runs")], "campaign.json"),
    ):
        error = CliRunner().invoke(fuzz, options).exception
        assert isinstance(error, UserError) and word in str(error)
    for ignored, both in (
        (["--resume", str(tmp_path), "--cases", "5000"], "--resume does not go with --cases"),
        (["--resume", str(tmp_path), "--lanes", "debian-12"], "--resume does not go with --lanes"),
        (["--merge", str(tmp_path), "--seed", "1", "--case", "2"], "--merge does not go with --seed, --case"),
        (["--resume", str(tmp_path), "--output", "runs"], "--resume does not go with --output"),
        (["--merge", str(tmp_path), "--cold", "--target", "ssh://b"], "--merge does not go with --cold, --target"),
        (["--merge", str(tmp_path), "--target-timeout", "9"], "--merge does not go with --target-timeout"),
        (["--case", "12", "--seed", "1", "--cases", "500"], "--case does not go with --cases"),
        (["--case", "5", "--seed", "1", "--shard", "2/2"], "--case does not go with --shard"),
        (["--dask", "local:2", "--target", "ssh://b"], "--dask does not go with --target"),
        (["--dask", "tcp://192.0.2.1:8786", "--cold"], "--cold is about this host's machines"),
    ):
        monkeypatch.delenv("HIL_COLD", raising=False)
        error = CliRunner().invoke(fuzz, ignored).exception
        assert isinstance(error, UserError) and both in str(error), error
    (tmp_path / "finding.json").write_text("{}")
    error = CliRunner().invoke(replay, [str(tmp_path / "finding.json")]).exception
    assert isinstance(error, UserError) and "is no finding" in str(error)
    for shard in ("0/2", "3/2", "1", "a/b"):
        assert CliRunner().invoke(fuzz, ["--shard", shard]).exit_code == 2


@pytest.mark.parametrize(
    ("shard", "options", "told", "rest"),
    [
        ("7/8", ["--cases", "500"], "500 cases are 4 ranges of 128: shard 7/8 has none", "shards 1 to 4 have all"),
        ("2/2", ["--cases", "128"], "128 cases are 1 range of 128: shard 2/2 has none", "shard 1 has all"),
        ("17/17", ["--cases", "4096", "--dask", "local:2"], "4096 cases are 16 ranges of 256", "shards 1 to 16"),
    ],
)
def test_a_shard_without_a_range_is_told(shard: str, options: list[str], told: str, rest: str) -> None:
    error = CliRunner().invoke(fuzz, ["--seed", "1", "--shard", shard, *options]).exception
    assert isinstance(error, UserError) and told in str(error) and error.remedy.startswith(rest)


def test_a_corpus_that_cannot_be_written_is_told_before_anything_is_run() -> None:
    error = CliRunner().invoke(fuzz, ["--corpus", "/proc/nowhere"]).exception
    assert isinstance(error, UserError) and "--corpus /proc/nowhere cannot be written" in str(error)


def test_a_finding_of_a_kernel_that_is_not_known_here_is_told(tmp_path: Path) -> None:
    for number, lane in enumerate((LANE, "debian-99/arm64/jit")):
        found = ScriptResult(lane, f"case-1-{number}", Verdict.DIVERGE, "it differs")
        write(tmp_path, whole(showing(found.script), found, "it was found before"), {})
    files = {json.loads(path.read_text())["lanes"][0]: path for path in tmp_path.glob("*.json")}
    error = CliRunner().invoke(replay, [*map(str, files.values())]).exception
    assert isinstance(error, UserError) and "--lanes" in error.remedy
    assert error.what.startswith(f"{files['debian-99/arm64/jit']} was seen where it cannot be run here: unknown lane")


def test_two_findings_of_one_case_are_replayed_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is known of one, or was judged, says nothing of the other."""
    monkeypatch.setattr("hil.signals.defer", lambda: None)  # this process is no bench
    replace_machines_by_erring(monkeypatch, {"case-1-0": WRONG, "case-1-0-2": WRONG + 1, "case-1-0-2-2": WRONG})
    place = Place("debian-12", "arm64", (Engine.JIT,), "6.1")
    monkeypatch.setattr("harness.fuzz.replaying.chosen", lambda *_: (place,))
    scripts = showing("case-1-0"), replace(showing("case-1-0"), sentence="smaller"), showing("case-1-0-2")
    found = [(one, ScriptResult(LANE, one.name, Verdict.DIVERGE, "it differs")) for one in (*scripts, scripts[0])]
    files = [write(tmp_path / str(number), whole(*one, "as it was"), {}) for number, one in enumerate(found)]
    told = CliRunner().invoke(replay, [*map(str, files), "--output", str(tmp_path / "runs")], standalone_mode=False)
    assert told.return_value == 1, told.output
    results = json.loads((tmp_path / "runs" / "latest" / "results.json").read_text())["results"]
    assert {one["script"]: one["verdict"] for one in results} == {
        "case-1-0": str(Verdict.KNOWN),
        "case-1-0-2": str(Verdict.DIVERGE),
        "case-1-0-2-2": str(Verdict.KNOWN),
    }


def test_a_finding_that_is_understood_by_now_is_known_when_it_is_replayed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hil.signals.defer", lambda: None)  # this process is no bench
    replace_machines_by_erring(monkeypatch, {"case-1-0": WRONG, "case-1-1": WRONG + 1})
    place = Place("debian-12", "arm64", (Engine.JIT,), "6.1")
    monkeypatch.setattr("harness.fuzz.replaying.chosen", lambda *_: (place,))
    found = [ScriptResult(LANE, f"case-1-{number}", Verdict.DIVERGE, "it differs") for number in range(2)]
    files = [
        write(tmp_path / str(number), whole(showing(one.script), one, "it was found before"), {})
        for number, one in enumerate(found)
    ]
    told = CliRunner().invoke(replay, [*map(str, files), "--output", str(tmp_path / "runs")], standalone_mode=False)
    assert told.return_value == 1, told.output
    known, differs = json.loads((tmp_path / "runs" / "latest" / "results.json").read_text())["results"]
    assert (known["script"], known["verdict"]) == ("case-1-0", str(Verdict.KNOWN))
    assert known["reason"].startswith(BUG.reason)
    assert (differs["script"], differs["verdict"]) == ("case-1-1", str(Verdict.DIVERGE))
