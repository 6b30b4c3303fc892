# SPDX-License-Identifier: MIT
"""Machines that stay up, as far as their records go."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from filelock import FileLock

from harness.keep import home
from harness.keep.commands import boot, cp
from harness.keep.home import Kept
from harness.loader.access import Access
from hil.errors import UserError

LANE = "debian-12/arm64/jit"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.directories.state", lambda: tmp_path)


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has `words` in its command line."""
    pipe = subprocess.PIPE
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program, *words], stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        process.stdout.readline()  # /proc has its command line by now
        yield process
        process.kill()


@pytest.fixture
def holder() -> Iterator[subprocess.Popen[bytes]]:
    """What stands for the process of a machine."""
    with running(home.MODULE, LANE) as process:
        yield process


def recorded(process: subprocess.Popen[bytes]) -> Path:
    folder = home.home(LANE)
    folder.mkdir(parents=True)
    Kept(LANE, process.pid, 2e9, Access(2222, "/key", "ssh-ed25519 AAAA", "/known")).write(folder)
    return folder


def test_a_machine_is_up_as_long_as_its_process_runs(holder: subprocess.Popen[bytes]) -> None:
    recorded(holder)
    assert [one.lane for one in home.everyone()] == [LANE]
    assert home.named(LANE).access.ssh[:3] == ("ssh", "-p", "2222")
    holder.kill()
    holder.wait()
    assert home.kept(LANE) is None
    assert not list(home.everyone())


def test_a_process_that_got_the_id_of_a_killed_one_is_left_alone(holder: subprocess.Popen[bytes]) -> None:
    """Also while another machine of the lane is starting, which holds the lock."""
    with running("hil", "run", "--lanes", LANE) as stranger:
        folder = recorded(stranger)
        with FileLock(folder / "life.lock"):
            assert home.kept(LANE) is None
            home.stop(Kept(LANE, stranger.pid, 2e9, Access(2222, "/key", "", "/known")))
        assert stranger.poll() is None


def test_a_machine_is_stopped(holder: subprocess.Popen[bytes]) -> None:
    recorded(holder)
    home.stop(home.named(LANE))
    assert holder.wait(60) == -signal.SIGTERM


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"access": {}}'])
def test_a_record_that_cannot_be_read_is_none(text: str, holder: subprocess.Popen[bytes]) -> None:
    home.record(recorded(holder)).write_text(text)
    assert home.kept(LANE) is None


def test_no_machine_is_up() -> None:
    with pytest.raises(UserError, match=r"no machine of debian-12/arm64/jit is up; .* up are: none"):
        home.named(LANE)


def test_a_root_is_where_the_shell_begins() -> None:
    assert "chroot /mnt/root" in Access(1, "/key", "", "/known", rooted=True).ssh[-1]


def test_two_machines_of_a_lane_are_refused(holder: subprocess.Popen[bytes]) -> None:
    recorded(holder)
    result = CliRunner().invoke(boot, [LANE, "--keep"])
    assert isinstance(result.exception, UserError)
    assert "is up already" in str(result.exception)


@pytest.mark.parametrize("words", [["a", "b"], [f"{LANE}:/etc/passwd", "a", "b"]])
def test_copies_have_a_machine_at_one_end(words: list[str], holder: subprocess.Popen[bytes]) -> None:
    recorded(holder)
    result = CliRunner().invoke(cp, words)
    assert "files are copied to a machine or from one" in str(result.exception)


def test_the_record_is_plain(holder: subprocess.Popen[bytes]) -> None:
    assert json.loads(home.record(recorded(holder)).read_text())["access"]["port"] == 2222
