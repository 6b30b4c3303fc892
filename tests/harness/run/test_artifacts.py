# SPDX-License-Identifier: MIT
"""What a run leaves when some of it cannot be written."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.compare import Verdict
from harness.history import commands, store
from harness.history.store import History
from harness.jobs.artifacts import EVERYTHING
from harness.report import markdown, page
from harness.run.artifacts import Unwritten, write_artifacts
from harness.run.document import read
from hil.errors import BenchError
from tests.harness.reports import LANES, agreeing, report, result

INTERRUPTED = report(*(result(lane, "counting", Verdict.AGREE) for lane in LANES), interrupted=True)
ENDED = replace(INTERRUPTED, signal=15)


def test_everything_is_left(tmp_path: Path) -> None:
    write_artifacts(agreeing(), tmp_path, EVERYTHING)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["junit.xml", "report.html", "results.json"]
    assert read(tmp_path / "results.json") == agreeing()


def test_without_reports_a_run_leaves_what_it_can_be_read_from(tmp_path: Path) -> None:
    write_artifacts(agreeing(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]
    assert read(tmp_path / "results.json") == agreeing()


@pytest.mark.parametrize("spoiled", ["results.json", "junit.xml", "report.html"])
def test_what_one_file_fails_at_costs_no_other(spoiled: str, tmp_path: Path) -> None:
    (tmp_path / spoiled).mkdir()
    latest = History().record(agreeing(), tmp_path)
    with pytest.raises(Unwritten, match=f"lacks {spoiled} .*--output") as caught:
        write_artifacts(agreeing(), tmp_path, EVERYTHING)
    assert caught.value.report == agreeing()
    assert caught.value.exit_status == 3
    left = {"results.json", "junit.xml", "report.html"} - {spoiled}
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == left
    assert History().get().id == latest + 1


def test_a_fault_of_ours_is_told_with_its_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "render", lambda *_: 1 / 0)
    with pytest.raises(Unwritten, match="division by zero") as caught:
        write_artifacts(agreeing(), tmp_path, EVERYTHING)
    assert "ZeroDivisionError" in caught.value.details
    assert (tmp_path / "results.json").exists() and (tmp_path / "junit.xml").exists()


def test_a_console_log_that_qemu_could_not_write_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unwritten, match=r"lacks console.log \(9 bytes of it\).*--output") as caught:
        write_artifacts(agreeing(), tmp_path, EVERYTHING, {"console.log": BenchError("9 bytes of it")})
    assert caught.value.exit_status == 3 and not caught.value.details
    assert read(tmp_path / "results.json") == agreeing()


def test_a_history_somebody_holds_locked_costs_the_entry_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(store, "PATIENCE", 0.1)
    history = History()
    before = history.record(agreeing(), tmp_path)
    with closing(sqlite3.connect(history.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        write_artifacts(agreeing(), tmp_path, EVERYTHING)
        (line,) = capsys.readouterr().err.splitlines()
        assert "locked" in line and str(tmp_path) in line and "HIL_HISTORY" in line
        assert (tmp_path / "results.json").exists()
        other.execute("ROLLBACK")
        assert other.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert history.record(agreeing(), tmp_path) == before + 1


def test_a_full_disk_costs_the_history_its_entry_and_the_run_nothing(
    tmp_path: Path, small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    history = History(small_disk / "history.sqlite")
    monkeypatch.setenv("HIL_HISTORY", str(history.path))
    write_artifacts(agreeing(), tmp_path, EVERYTHING)
    room = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(bytes(room.f_bavail * room.f_frsize))
    write_artifacts(agreeing(), tmp_path, EVERYTHING)
    (line,) = capsys.readouterr().err.splitlines()
    assert "full" in line and str(tmp_path) in line and "look at its disk" in line
    assert read(tmp_path / "results.json") == agreeing()
    filler.unlink()
    write_artifacts(agreeing(), tmp_path, EVERYTHING)
    assert [entry.id for entry in history.entries(9)] == [2, 1]
    with closing(sqlite3.connect(history.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_full_disk_under_the_run_folder_leaves_no_half_file(small_disk: Path) -> None:
    before = History().record(agreeing(), small_disk)
    room = os.statvfs(small_disk)
    (small_disk / "filler").write_bytes(bytes(room.f_bavail * room.f_frsize - 8192))
    with pytest.raises(Unwritten, match=r"lacks .*report.html \(.*No space left on device\).*--output"):
        write_artifacts(agreeing(), small_disk, EVERYTHING)
    assert {path.name for path in small_disk.iterdir()} <= {"filler", "results.json", "junit.xml"}
    assert History().get().id == before + 1


def test_an_interrupted_run_is_never_a_good_one(tmp_path: Path) -> None:
    assert report(*INTERRUPTED.results).exit_status == 0
    assert INTERRUPTED.exit_status == 3
    write_artifacts(INTERRUPTED, tmp_path, EVERYTHING)
    assert read(tmp_path / "results.json").interrupted


def test_the_history_has_the_status_a_signal_gave(tmp_path: Path) -> None:
    write_artifacts(ENDED, tmp_path, EVERYTHING)
    assert read(tmp_path / "results.json") == ENDED
    (entry,) = History().entries(1)
    assert (entry.exit_status, entry.interrupted) == (143, True)


@pytest.mark.parametrize(
    "shown",
    [
        lambda: page.render(INTERRUPTED, None),
        lambda: markdown.render(INTERRUPTED),
        lambda: CliRunner().invoke(commands.show, ["latest"]).output,
        lambda: CliRunner().invoke(commands.list_, ["--limit", "1"]).output,
    ],
)
def test_who_looks_at_an_interrupted_run_is_told(shown: Callable[[], str], tmp_path: Path) -> None:
    write_artifacts(INTERRUPTED, tmp_path, EVERYTHING)
    assert "interrupted" in shown()
