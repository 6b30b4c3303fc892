# SPDX-License-Identifier: MIT
"""`hil compare` and `hil baseline` as a pipeline meets them: from run folders to an exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.compare import Verdict
from harness.run.results import RunReport
from tests.harness.reports import LANES, SCRIPTS, agreeing, report, result


def hil(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The command itself, with the statuses a pipeline sees."""
    program = (
        "import sys\n"
        "from hil import cli\n"
        "from harness.regress.commands import baseline, compare\n"
        "cli.hil.get_command = lambda _, name: {'compare': compare, 'baseline': baseline}[name]\n"
        "cli.main()\n"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "500"},
    )


def kept(folder: Path, name: str, made: RunReport) -> Path:
    (folder / name).mkdir()
    made.write(folder / name / "results.json")
    return folder / name


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return kept(tmp_path, "good", agreeing())


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    changed = [
        result(lane, script, Verdict.DIVERGE if (lane, script) == (LANES[2], "lookup") else Verdict.AGREE)
        for lane in LANES
        for script in SCRIPTS
    ]
    return kept(tmp_path, "bad", report(*changed))


def test_nothing_worse(good: Path, bad: Path) -> None:
    done = hil("compare", good, good)
    assert (done.returncode, done.stdout) == (0, "9 compared: 0 worse, 0 fixed, 0 other changes\n")
    done = hil("compare", bad, good / "results.json")
    assert done.returncode == 0
    assert "fixed: 1" in done.stdout


def test_something_worse(good: Path, bad: Path) -> None:
    done = hil("compare", good, bad)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "new divergence: 1",
        "    debian-12/arm64/jit lookup: agree -> diverge: operation 4, Attach: differs",
        "9 compared: 1 worse, 0 fixed, 0 other changes",
    ]


def test_an_interrupted_run_never_passes(tmp_path: Path, good: Path) -> None:
    half = kept(tmp_path, "half", replace(agreeing(), interrupted=True))
    for runs in ((good, half), (half, good), (half, half)):
        done = hil("compare", *runs)
        assert done.returncode == 1
        assert done.stdout.startswith("interrupted: 1\n    the whole run: ")
    (tmp_path / "baseline.json").write_text('{"format": 1, "known": []}')
    assert hil("compare", half, "--baseline", tmp_path / "baseline.json").returncode == 1


def test_only_some_lanes(good: Path, bad: Path) -> None:
    done = hil("compare", good, bad, "--lane", "*/x86_64")
    assert (done.returncode, done.stdout) == (0, "3 compared: 0 worse, 0 fixed, 0 other changes\n")


def test_two_lanes_of_one_run(bad: Path) -> None:
    done = hil("compare", bad, "--lane", "*/*/interp", "--lane", "*/arm64/jit")
    assert done.returncode == 1
    assert "*/*/interp -> */arm64/jit lookup: agree -> diverge" in done.stdout


def test_lanes_of_two_runs_with_other_names(tmp_path: Path, good: Path) -> None:
    """As a lane and a board with the same kernel."""
    board = "board:192.0.2.7:22/x86_64/jit"
    for name, verdict in (("same", Verdict.AGREE), ("other", Verdict.DIVERGE)):
        kept(tmp_path, name, report(*(result(board, script, verdict) for script in SCRIPTS), lanes=(board,)))
    chosen = ("--lane", "debian-12/x86_64/jit", "--against", "board:*")
    done = hil("compare", good, tmp_path / "same", *chosen)
    assert (done.returncode, done.stdout) == (0, "3 compared: 0 worse, 0 fixed, 0 other changes\n")
    done = hil("compare", good, tmp_path / "other", *chosen)
    assert done.returncode == 1
    assert "debian-12/x86_64/jit lookup: agree -> diverge" in done.stdout
    two = kept(tmp_path, "two", report(lanes=(board, LANES[0])))
    assert "RUN-A has the kernels" in hil("compare", two, good, "--against", "debian-12").stderr
    assert "these lanes are of the kernels" in hil("compare", good, two, "--against", "*").stderr
    assert "compares two runs" in hil("compare", good, *chosen).stderr


def test_json_for_scripts(good: Path, bad: Path) -> None:
    said = json.loads(hil("compare", good, bad, "--json").stdout)
    assert (said["compared"], said["worse"]) == (9, 1)
    assert said["changes"][0]["kind"] == "new divergence"


def test_slower_fails_only_when_it_is_asked_for(tmp_path: Path) -> None:
    def made(last: float) -> RunReport:
        times = [0.2] * 19 + [last]
        results = (result(LANES[0], f"script-{n}", seconds=one) for n, one in enumerate(times))
        return report(*results, lanes=LANES[:1])

    before, after = kept(tmp_path, "before", made(0.2)), kept(tmp_path, "after", made(2.0))
    done = hil("compare", before, after)
    assert done.returncode == 0
    assert "debian-12/x86_64/jit script-19: 0.200 s -> 2.000 s, x10.0" in done.stdout
    assert hil("compare", before, after, "--slower-fails").returncode == 1


def test_a_baseline_from_a_run_to_a_green_pipeline_and_back(tmp_path: Path, good: Path, bad: Path) -> None:
    file = tmp_path / "hil-baseline.json"
    drafted = hil("baseline", bad)
    assert drafted.returncode == 0
    assert "1 entries need a reason" in drafted.stderr
    file.write_text(drafted.stdout)
    refused = hil("compare", "--baseline", file, bad)
    assert refused.returncode == 2
    assert "entry 1 (debian-12/arm64/jit lookup) has no reason" in refused.stderr
    file.write_text(hil("baseline", bad, "--reason", "understood", "--link", "https://example.org/1").stdout)
    assert hil("compare", "--baseline", file, bad).returncode == 0
    assert hil("compare", "--baseline", file, good, bad).returncode == 0
    fixed = hil("compare", "--baseline", file, good)
    assert fixed.returncode == 1
    assert "stale baseline entry: 1" in fixed.stdout
    assert hil("baseline", bad, "--keep", file).stdout == file.read_text()


@pytest.mark.parametrize("arguments", [(), ("1", "2", "3"), ("{good}",), ("{good}", "{nowhere}"), ("--fast",)])
def test_wrong_usage(good: Path, arguments: tuple[str, ...]) -> None:
    done = hil("compare", *(one.format(good=good, nowhere=good / "no") for one in arguments))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_history_that_cannot_be_read_is_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "history.sqlite").write_text("no database")
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    assert hil("compare", "1", "2").returncode == 3


def test_runs_that_judged_nothing_are_not_the_same_for_want_of_a_word(tmp_path: Path) -> None:
    nothing = replace(
        agreeing(), results=tuple(replace(one, verdict=Verdict.UNSUPPORTED) for one in agreeing().results)
    )
    before, after = kept(tmp_path, "before", nothing), kept(tmp_path, "after", nothing)
    empty = kept(tmp_path, "empty", replace(agreeing(), results=()))
    for runs in ((before, after), (empty, empty), (before, "--lane", LANES[0], "--lane", LANES[1])):
        done = hil("compare", *runs)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "nothing judged" in done.stdout
