# SPDX-License-Identifier: MIT
"""The history's file, and what may happen to it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from harness import history
from harness.compare import Verdict
from harness.history.schema import STEPS
from harness.history.store import History, default_path
from hil.errors import BenchError, UserError
from tests.harness.reports import LANES, agreeing, everything

WRITER = """
import sys
from pathlib import Path
from harness.history.store import History
from tests.harness.reports import everything
history = History(Path(sys.argv[1]))
print("up", flush=True)
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    print(history.record(everything(), Path("/runs")), flush=True)
"""


@pytest.fixture
def store(tmp_path: Path) -> History:
    return History(tmp_path / "deep" / "history.sqlite")


def writer(store: History, runs: int) -> subprocess.Popen[str]:
    """A process that waits for a line, then records."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(store.path), str(runs)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def sound(store: History) -> bool:
    with closing(sqlite3.connect(store.path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_a_run_comes_back_as_it_was(store: History) -> None:
    number = store.record(everything(), Path("/runs/one"))
    store.record(agreeing(), Path("/runs/two"))
    assert store.get(number).report == everything()
    assert store.get(number).folder == Path("/runs/one")
    assert store.get().report == agreeing()


def test_the_list_is_newest_first_and_counts_verdicts(store: History) -> None:
    for made in (everything(), agreeing(), everything()):
        store.record(made, Path("/runs"))
    newest, second = store.entries(2)
    assert (newest.id, second.id) == (3, 2)
    assert newest.counts == everything().counts()
    assert second.counts == Counter({Verdict.AGREE: 9})
    assert newest.lanes == LANES
    assert (newest.exit_status, second.exit_status) == (3, 0)


def test_reading_makes_no_file(store: History) -> None:
    assert store.entries(10) == []
    with pytest.raises(UserError, match="no run yet"):
        store.get()
    assert not store.path.parent.exists()


def test_a_run_that_was_never_recorded(store: History) -> None:
    store.record(agreeing(), Path("/runs"))
    with pytest.raises(UserError, match="no run 2"):
        store.get(2)


def test_the_views_answer_in_sql(store: History) -> None:
    store.record(everything(), Path("/runs"))
    with closing(sqlite3.connect(store.path)) as connection:
        diverged = "SELECT lane, script, operation FROM result WHERE verdict = 'diverge'"
        assert connection.execute(diverged).fetchall() == [(LANES[0], "lookup", 4)]
        images = "SELECT arch, image_sha256, boot_seconds FROM machine"
        assert connection.execute(images).fetchall() == [
            ("x86_64", "c0ffee" * 10 + "x86_64", 9.5),
            ("arm64", "c0ffee" * 10 + "arm64", 9.5),
        ]


def test_a_history_of_an_older_hil_is_brought_to_the_layout_of_today(
    store: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("harness.history.store.STEPS", STEPS[:1])
        store.record(agreeing(), Path("/runs/old"))
    store.record(everything(), Path("/runs/new"))
    assert store.get(1).report == agreeing()
    with closing(sqlite3.connect(store.path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (len(STEPS),)
        repeated = "SELECT run, script, rounds, unpredicted FROM result WHERE rounds > 1"
        assert connection.execute(repeated).fetchall() == [(2, "attach-twice", 3, 0)]


def test_several_processes_write_at_once_from_the_first_moment(store: History) -> None:
    processes = [writer(store, 5) for _ in range(3)]
    for process in processes:
        go(process)
    numbers = [int(line) for process in processes for line in process.communicate(timeout=120)[0].split()]
    assert sorted(numbers) == list(range(1, 16))
    assert [entry.id for entry in store.entries(100)] == list(range(15, 0, -1))
    assert sound(store)


@pytest.mark.parametrize("told", [1, 3, 8])
def test_a_killed_writer_leaves_whole_runs(store: History, told: int) -> None:
    process = writer(store, 100_000)
    go(process)
    assert process.stdout is not None
    for _ in range(told):
        number = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    entries = store.entries(1_000_000)
    assert entries[0].id >= number
    assert all(entry.counts == everything().counts() for entry in entries)
    assert sound(store)
    assert store.record(agreeing(), Path("/runs")) == entries[0].id + 1


def test_a_writer_killed_in_its_transaction_leaves_nothing(store: History) -> None:
    store.record(agreeing(), Path("/runs"))
    program = (
        "import os, signal, sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "connection.execute('PRAGMA cache_size = 1')\n"  # so that pages reach the log before the end
        "connection.execute('BEGIN IMMEDIATE')\n"
        "for _ in range(100):\n"
        "    connection.execute('INSERT INTO run SELECT NULL, started, seconds, 9, folder, report FROM run LIMIT 1')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, store.path], timeout=60).returncode == -signal.SIGKILL
    assert len(store.entries(10)) == 1
    assert store.record(everything(), Path("/runs")) == 2
    assert sound(store)


def test_a_full_disk_costs_the_run_that_did_not_fit(small_disk: Path) -> None:
    store = History(small_disk / "history.sqlite")
    kept = 0
    with pytest.raises(BenchError, match="full"):
        for _ in range(1000):
            kept = store.record(everything(), Path("/runs"))
    assert kept > 0
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    assert [entry.id for entry in store.entries(1000)] == list(range(kept, 0, -1))
    assert sound(store)
    assert store.record(agreeing(), Path("/runs")) == kept + 1


def test_a_history_of_a_newer_hil_is_left_alone(store: History) -> None:
    store.record(agreeing(), Path("/runs"))
    with closing(sqlite3.connect(store.path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(STEPS) + 1}")
    before = store.path.read_bytes()
    with pytest.raises(BenchError, match="newer hil"):
        store.record(agreeing(), Path("/runs"))
    assert store.path.read_bytes() == before


def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "history.sqlite").write_text("dear diary, " * 100)
    with pytest.raises(BenchError, match="not a database"):
        History(tmp_path / "history.sqlite").record(agreeing(), Path("/runs"))
    assert (tmp_path / "history.sqlite").read_text() == "dear diary, " * 100


def test_a_run_that_cannot_be_recorded_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "file" / "history.sqlite"))
    history.keep(agreeing(), tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert "not in the history" in line and "HIL_HISTORY" in line


def test_the_tests_have_a_history_of_their_own() -> None:
    assert default_path() == Path(os.environ["HIL_HISTORY"])
    assert ".local" not in default_path().parts
