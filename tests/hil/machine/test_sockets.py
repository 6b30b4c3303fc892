# SPDX-License-Identifier: MIT
from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hil.machine.sockets import SocketFolder, remove_stale


def test_folder_is_private_short_and_removed(tmp_path: Path) -> None:
    folder = SocketFolder(tmp_path)
    (folder.path / "gdb").touch()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    folder.remove()
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_default_place_leaves_room_for_names(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 80)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    folder = SocketFolder()
    try:
        assert len(bytes(folder.path / "gdb")) <= 107
    finally:
        folder.remove()


def test_folder_in_use_is_not_stale(tmp_path: Path) -> None:
    folder = SocketFolder(tmp_path)
    assert remove_stale(tmp_path) == []
    assert folder.path.is_dir()
    folder.remove()


def test_folder_of_a_killed_bench_is_removed_by_the_next(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys, pathlib; from hil.machine.sockets import SocketFolder;"
        "folder = SocketFolder(pathlib.Path(sys.argv[1])); (folder.path / 'gdb').touch();"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=60)
    [left] = tmp_path.iterdir()
    folder = SocketFolder(tmp_path)
    assert not left.exists()
    folder.remove()


def test_folders_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other-x").mkdir()
    (tmp_path / "hil-agent").write_text("a file")
    assert remove_stale(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hil-agent", "other-x"]


def test_an_old_folder_that_was_never_locked_is_removed(tmp_path: Path) -> None:
    young, old = tmp_path / ".hil-machine-young", tmp_path / ".hil-machine-old"
    for folder in (young, old):
        folder.mkdir()
    os.utime(old, (0, 0))
    assert remove_stale(tmp_path) == [old]
    assert list(tmp_path.iterdir()) == [young]
