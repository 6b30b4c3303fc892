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

from hil import signals

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


def run(patch: str, home: Path) -> tuple[int, dict[str, object], list[int]]:
    """The exit status of a run with `patch`, what its results.json says, and what the history has of it."""
    places = {"XDG_CACHE_HOME": f"{home}/cache", "XDG_STATE_HOME": f"{home}/state", "HIL_HISTORY": f"{home}/history"}
    command = [sys.executable, "-c", _PROGRAM.format(patch=patch), "run", "--lanes", "linux-4.1/arm64/interp"]
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


def test_who_asks_for_the_end_is_told_by_a_status() -> None:
    assert [signals.Ended(number).code for number in signals.ASKING] == [130, 143, 129, 131]
