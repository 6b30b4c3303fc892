# SPDX-License-Identifier: MIT
"""A machine that stays up: booted, used by commands of their own, and stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.guest
LANE = "debian-12/x86_64/jit"
Hil = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def hil(tmp_path: Path) -> Iterator[Hil]:
    """Runs hil with a state of its own, in which nothing is up in the end."""
    # A saved machine with the keys of this state would be of no use to anybody else.
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "HIL_COLD": "1"}

    def run(*words: str, said: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hil", *words],
            input=said,
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            check=False,
        )

    yield run
    run("boot", "--stop")


def test_a_machine_stays_up_for_shells_and_copies_until_it_is_stopped(hil: Hil, tmp_path: Path) -> None:
    booted = hil("boot", LANE, "--keep")
    assert booted.returncode == 0, booted.stderr
    assert f"{LANE} is up: ssh -p " in booted.stdout
    assert hil("boot", "--list").stdout.startswith(f"{LANE}: until ")
    again = hil("boot", LANE, "--keep")
    assert again.returncode == 2 and "is up already" in again.stderr

    (tmp_path / "real").write_text("6 * 7\n")
    (tmp_path / "link").symlink_to("real")
    assert hil("cp", "link", f"{LANE}:/hil").returncode == 0
    shell = hil("shell", LANE, said="echo $(($(cat /hil/link))) >/hil/answer; exit 3\n")
    assert shell.returncode == 3, shell.stderr
    assert hil("cp", f"{LANE}:/hil/answer", ".").returncode == 0
    assert (tmp_path / "answer").read_text() == "42\n"

    assert hil("boot", "--stop", LANE).stdout == f"stopped {LANE}\n"
    assert hil("boot", "--list").stdout == ""
    assert not list((tmp_path / "state").rglob("machine.json"))
