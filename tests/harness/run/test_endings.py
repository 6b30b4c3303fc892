# SPDX-License-Identifier: MIT
"""Runs that are ended at the moments where it would cost most, without any guest: their kernel is not in the cache."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from hil import cache, signals

_SIGNAL = "os.kill(os.getpid(), signal.SIGTERM)"
_PROGRAM = """
import os, signal
from harness.report import page
from harness.run import matrix
from hil import cli
{patch}
cli.main()
"""
_WHEN_THE_FOLDER_IS_THERE = f"""
made = matrix.make_folder
def make_folder(parent):
    folder = made(parent)
    {_SIGNAL}
    return folder
matrix.make_folder = make_folder
"""
_WHEN_THE_REPORT_IS_WRITTEN = f"""
written = page.write
def write(*arguments):
    {_SIGNAL}
    written(*arguments)
page.write = write
"""
_WHEN_A_WORKER_IS_STARTED = f"""
import threading
from hil import cache
waiting = threading.Event()
wait_for = cache._await
def _await(*arguments):
    waiting.set()
    wait_for(*arguments)
cache._await = _await
start = threading.Thread.start
def begin(self):
    start(self)
    if self.name.startswith("share"):
        waiting.wait()
        {_SIGNAL}
threading.Thread.start = begin
"""


def run(patch: str, home: Path, lane: str = "linux-4.1/arm64/interp") -> tuple[int, dict[str, object], list[int]]:
    """The exit status of a run with `patch`, what its results.json says, and what the history has of it."""
    places = {"XDG_CACHE_HOME": f"{home}/cache", "XDG_STATE_HOME": f"{home}/state", "HIL_HISTORY": f"{home}/history"}
    command = [sys.executable, "-c", _PROGRAM.format(patch=patch), "run", "--lanes", lane]
    done = subprocess.run(command, env={**os.environ, **places}, capture_output=True, text=True, timeout=120)
    folder = home / "state" / "hil" / "runs" / "latest"
    assert {path.name for path in folder.iterdir()} == {"hil.log", "junit.xml", "report.html", "results.json"}, (
        done.stderr
    )
    with closing(sqlite3.connect(home / "history")) as connection:
        kept = [row[0] for row in connection.execute("SELECT exit_status FROM run")]
    return done.returncode, json.loads((folder / "results.json").read_text()), kept


def test_a_run_folder_is_never_left_without_its_files(tmp_path: Path) -> None:
    status, results, kept = run(_WHEN_THE_FOLDER_IS_THERE, tmp_path)
    assert (status, kept) == (143, [143])
    assert results["interrupted"] and results["signal"] == 15


def test_a_run_that_is_through_is_what_it_is(tmp_path: Path) -> None:
    status, results, kept = run(_WHEN_THE_REPORT_IS_WRITTEN, tmp_path)
    assert (status, kept) == (3, [3])  # nothing was judged
    assert not results["interrupted"] and results["signal"] is None


def test_a_worker_that_waits_for_a_lock_ends_though_its_start_was_interrupted(tmp_path: Path) -> None:
    kernel = tmp_path / "cache" / "hil" / "kernels" / "debian-12" / "arm64"
    with cache.locked(kernel):
        status, results, kept = run(_WHEN_A_WORKER_IS_STARTED, tmp_path, "debian-12/arm64/interp")
    assert (status, kept) == (143, [143])
    assert results["interrupted"] and results["signal"] == 15


def test_who_asks_for_the_end_is_told_by_a_status() -> None:
    assert [signals.Ended(number).code for number in signals.ASKING] == [130, 143, 129, 131]
