# SPDX-License-Identifier: MIT
"""Boards, for which this host stands; no test changes a setting of it, or its trace events."""

from __future__ import annotations

import os
import platform
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hil.agent.client import Agent
from hil.agent.local import host_architecture
from hil.board import keeper, reaching
from hil.board.board import Board, BoardTarget
from hil.errors import BenchError, MachineLost, UserError
from tests.hil.board.this_host import ThisHost
from tests.waiting import until

Make = Callable[..., BoardTarget]


@pytest.fixture
def setting(tmp_path: Path) -> Path:
    file = tmp_path / "setting"
    file.write_text("1\n")
    return file


@pytest.fixture
def place(tmp_path: Path) -> Path:
    folder = tmp_path / "place"
    folder.mkdir()
    return folder


@pytest.fixture
def make(host: ThisHost, setting: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("HIL_TIME_SCALE", "1")

    def make(token: str = "ours", release: str = platform.release(), **others: Any) -> BoardTarget:
        known = {"settings": (str(setting),), "places": (str(place),), "comes_back": 30.0} | others
        return BoardTarget(
            Board(host.board, token, f"{token}@desk", host.ssh_config, **known), host_architecture(), release
        )

    return make


def test_the_agent_answers_and_nothing_is_left(make: Make, setting: Path, place: Path) -> None:
    with make() as target:
        assert target.alive
        assert target.run(["sh", "-c", "exit 3"]).status == 3
        with Agent(target.open([target.agent])) as agent:
            assert agent.hello.release == platform.release()
        setting.write_text("0\n")
    assert setting.read_text() == "1\n"
    assert target.put_back == [f"{setting} was 0 and is 1 again"]
    assert not list(place.iterdir())
    assert not target.warnings
    assert not target.alive


def test_an_agent_that_still_runs_is_ended(make: Make, place: Path) -> None:
    with make() as target:
        agent = Agent(target.open([target.agent]))
        pid = agent.hello.pid
    until(lambda: not Path(f"/proc/{pid}").exists())
    agent.close()


def test_a_board_is_in_one_use_at_a_time(make: Make) -> None:
    with make("alice") as target:
        with pytest.raises(UserError, match="is in use: alice@desk; wait for it"):
            make("bob").__enter__()
        assert target.run(["true"]).status == 0
    with make("bob"):
        pass


def test_another_login_of_the_same_run_takes_over(make: Make, setting: Path) -> None:
    with make():
        setting.write_text("0\n")
        with make():
            assert setting.read_text() == "1\n"


def test_what_a_killed_run_left_is_cleared_away_and_told(make: Make, setting: Path, place: Path) -> None:
    target = make("alice")
    target.__enter__()
    (folder,) = place.iterdir()
    os.killpg(int(folder.name.split(".")[1]), signal.SIGKILL)
    until(lambda: target.lost_reason() is not None)
    target.stop()
    setting.write_text("0\n")
    with make("bob") as next_one:
        assert next_one.warnings == (
            f"an earlier run left {folder} (alice@desk); it was cleared away",
            f"{setting} was 0 and is 1 again",
        )


def test_a_setting_of_before_a_reboot_is_not_put_back(make: Make, setting: Path, place: Path) -> None:
    old = place / f"hil-board.{os.getpid()}.earlier"
    old.mkdir()
    (old / "boot").write_text("another\n")
    (old / "settings").write_text(f"{setting} 7\n")
    with make():
        assert setting.read_text() == "1\n"


def test_what_the_run_itself_left_before_a_reboot_is_not_told(make: Make, place: Path) -> None:
    old = place / "hil-board.1.ours"
    old.mkdir()
    (old / "boot").write_text("another\n")
    with make("ours") as target:
        assert not old.exists()
    assert not target.warnings


@pytest.mark.parametrize("work", ["in the folder", "in one that is gone", "by a program"])
def test_what_a_run_started_is_ended(make: Make, place: Path, tmp_path: Path, work: str) -> None:
    with make() as target:
        folder = Path(target.folder)
        gone = folder / "gone"
        gone.mkdir()
        program = folder / "program"
        shutil.copy(shutil.which("sleep") or "", program)
        command = [str(program), "600"] if work == "by a program" else ["sleep", "600"]
        there = {"in the folder": folder, "in one that is gone": gone, "by a program": tmp_path}[work]
        process = subprocess.Popen(command, cwd=there)
        gone.rmdir()
    assert process.wait(60) == -signal.SIGKILL
    assert not list(place.iterdir())


def test_what_somebody_else_made_is_not_believed(make: Make, setting: Path, place: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "boot").write_text(Path("/proc/sys/kernel/random/boot_id").read_text())
    (theirs / "settings").write_text(f"{setting} 7\n")
    (place / "hil-board.1.theirs").symlink_to(theirs)
    with make():
        assert setting.read_text() == "1\n"


def test_a_board_that_executes_nothing_is_an_error(make: Make, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="executes nothing in any of"):
        make(places=(str(tmp_path / "none"),)).__enter__()


def test_a_cut_line_is_noticed_and_the_board_puts_itself_back(
    make: Make, host: ThisHost, setting: Path, place: Path
) -> None:
    heard = threading.Event()
    with make() as target:
        target.on_loss(heard.set)
        setting.write_text("0\n")
        host.cut()
        assert heard.wait(60)
        assert "does not answer any more" in str(target.lost_reason())
        with pytest.raises(MachineLost, match="the board is gone"):
            target.run(["true"])
    until(lambda: not list(place.iterdir()))
    assert setting.read_text() == "1\n"
    assert any("before the board was put back" in warning for warning in target.warnings)


def test_a_board_that_falls_silent_is_noticed(
    make: Make, host: ThisHost, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "SILENCE", 1.0)
    monkeypatch.setattr(keeper, "EVERY", 0.05)
    with make() as target:
        host.muted.set()
        until(lambda: target.lost_reason() is not None)
        assert "no answer for 1 s" in str(target.lost_reason())
    until(lambda: not list(place.iterdir()))  # and it hears that we are gone


def test_a_board_that_hears_nothing_puts_itself_back(
    make: Make, setting: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "ALONE", 1)
    with make():
        setting.write_text("0\n")
        until(lambda: not list(place.iterdir()))
        assert setting.read_text() == "1\n"


def test_a_board_with_another_kernel_than_before_is_not_used(make: Make, place: Path) -> None:
    with pytest.raises(BenchError, match=r"but ran 4\.1\.52 when it was examined"):
        make(release="4.1.52").__enter__()
    assert not list(place.iterdir())


def test_a_board_that_does_not_come_back_is_lost(make: Make, host: ThisHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaching, "_AGAIN", 0.05)
    host.close()
    with pytest.raises(MachineLost, match=r"nothing answers SSH at .*for 1 nominal s"):
        make(comes_back=1.0).__enter__()


def test_a_run_that_is_stopped_waits_no_longer(make: Make, host: ThisHost) -> None:
    host.close()
    target = make(comes_back=3600.0)
    threading.Timer(0.2, target.stop).start()
    with pytest.raises(MachineLost):
        target.__enter__()


def test_a_setting_that_cannot_be_put_back_is_a_warning(make: Make, setting: Path) -> None:
    with make() as target:
        setting.unlink()
        setting.mkdir()
    assert any("failed to put back" in warning for warning in target.warnings)
