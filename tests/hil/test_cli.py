# SPDX-License-Identifier: MIT
"""The command as a process: its messages and exit status when something is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hil.version import version

HIL = [sys.executable, "-m", "hil"]


def hil(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HIL, *arguments], env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=120
    )


def test_it_prints_its_version() -> None:
    done = hil("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"hil, version {version()}\n"


@pytest.mark.parametrize(
    "arguments", [["absent"], ["kernels", "list", "--absent"], ["kernels", "show", "absent"], ["kernels", "show", "/"]]
)
def test_wrong_usage_gives_no_traceback(arguments: list[str], tmp_path: Path) -> None:
    done = hil(*arguments, environment={"XDG_CACHE_HOME": str(tmp_path)})
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr and "Traceback" not in done.stderr


def test_an_error_of_the_host_has_another_status(tmp_path: Path) -> None:
    (tmp_path / "hil").write_text("a file in the place of the cache")
    done = hil("kernels", "fetch", "debian-12", "--arch", "arm64", environment={"XDG_CACHE_HOME": str(tmp_path)})
    assert done.returncode == 3
    assert done.stderr.startswith("hil: cannot use the cache") and len(done.stderr.splitlines()) == 1


def test_the_error_for_an_unwritable_place_has_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(
        '{"format": 1, "started": "", "seconds": 0, "command": [], "host": {}, '
        '"lanes": [], "machines": [], "results": []}'
    )
    done = hil("report", str(tmp_path), "-o", str(tmp_path / "absent" / "report.html"))
    assert done.returncode == 3
    (line,) = done.stderr.splitlines()
    assert "absent/report.html" in line and line.endswith("or name another place")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("raise EOFError('file')", "a file ends before its content does"),
        ("raise BrokenPipeError(32, 'Broken pipe', 'socket')", "socket: Broken pipe"),
        ("raise MemoryError", "hil: the bench has no memory left; end other programs"),
    ],
)
def test_a_bug_of_the_bench_is_no_divergence(fault: str, expected: str) -> None:
    program = (
        "import click\n"
        "from hil import cli\n"
        "@click.command()\n"
        "def command():\n"
        f"    {fault}\n"
        "cli.hil.get_command = lambda *_: command\n"
        "cli.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, "command"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3 and expected in done.stderr


@pytest.mark.parametrize("setting", ["HIL_ACCELERATOR=hvf", "HIL_TIME_SCALE=nan", "HIL_TIME_SCALE=-1"])
def test_an_invalid_variable_is_wrong_usage_before_anything_starts(setting: str) -> None:
    name, _, value = setting.partition("=")
    done = subprocess.run(
        [sys.executable, "-m", "hil", "lanes"], env={**os.environ, name: value}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert name in done.stderr and len(done.stderr.splitlines()) == 1
