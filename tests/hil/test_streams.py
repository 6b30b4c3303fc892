# SPDX-License-Identifier: MIT
"""Standard streams that cannot be written, or are not read: only the output is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_PROGRAM = """
import sys, threading
from pathlib import Path
import click
from rich.console import Console
from hil import cli

@click.command()
def command():
    printing = threading.Thread(target=lambda: Console().print("from a thread"))
    printing.start()
    printing.join()
    for number in range(20000):
        click.echo(f"line {number}")
    Path(sys.argv[2]).touch()
    return None if sys.argv[3] == "none" else int(sys.argv[3])

cli.hil.get_command = lambda *_: command
command.allow_extra_args = command.ignore_unknown_options = True
command.context_settings = {"ignore_unknown_options": True, "allow_extra_args": True}
cli.main()
"""


def run(done: Path, status: str, **streams: Any) -> tuple[int, str]:
    argv = [sys.executable, "-c", _PROGRAM, "command", str(done), status]
    ended = subprocess.run(argv, timeout=120, **{"stderr": subprocess.PIPE, **streams})
    return ended.returncode, (ended.stderr or b"").decode()


def pipe_without_reader() -> int:
    """A pipe whose reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize(("status", "ended"), [("none", 141), ("0", 0), ("1", 1), ("3", 3)])
def test_a_reader_that_ends_early_changes_nothing_else(status: str, ended: int, tmp_path: Path) -> None:
    """A command that only prints ends as after SIGPIPE; the status of one that judged something is not changed."""
    assert run(tmp_path / "done", status, stdout=pipe_without_reader()) == (ended, "")
    assert (tmp_path / "done").exists()


@pytest.mark.parametrize(("status", "ended"), [("none", 3), ("0", 0), ("1", 1)])
def test_a_full_disk_below_the_output_is_reported(status: str, ended: int, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        code, output = run(tmp_path / "done", status, stdout=full)
    assert code == ended
    (line,) = output.splitlines()
    assert line.startswith("hil: cannot write to standard output: No space left on device")
    assert (tmp_path / "done").exists()


def test_closed_standard_error_changes_no_status() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hil", "absent"], stdout=pipe_without_reader(), stderr=pipe_without_reader(), timeout=120
    )
    assert done.returncode == 2


def test_closed_descriptors_are_not_reused(tmp_path: Path) -> None:
    argv = [
        "sh",
        "-c",
        'exec "$@" <&- >&- 2>&-',
        "sh",
        sys.executable,
        "-c",
        _PROGRAM,
        "command",
        str(tmp_path / "done"),
        "0",
    ]
    assert subprocess.run(argv, timeout=120).returncode == 0
    assert (tmp_path / "done").read_bytes() == b""
