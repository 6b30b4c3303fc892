# SPDX-License-Identifier: MIT
"""Machines that stay up, as far as their records go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.keep import home
from harness.keep.commands import boot, cp
from harness.keep.home import Kept
from harness.loader.access import Access
from hil.errors import UserError

LANE = "debian-12/arm64/jit"


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.directories.state", lambda: tmp_path)


def record(lane: str = LANE) -> Path:
    folder = home.home(lane)
    folder.mkdir(parents=True)
    Kept(lane, 1, 2e9, Access(2222, "/key", "ssh-ed25519 AAAA", "/known")).write(folder)
    return folder


def test_a_machine_is_up_as_long_as_its_process_holds_the_lock() -> None:
    folder = record()
    assert home.kept(LANE) is None, "its process was killed"
    with home.lock(folder):
        assert [one.lane for one in home.everyone()] == [LANE]
        assert home.named(LANE).access.ssh[:3] == ("ssh", "-p", "2222")
    assert not list(home.everyone())


def test_a_record_that_cannot_be_read_is_none() -> None:
    folder = record()
    (folder / "machine.json").write_text("{")
    with home.lock(folder):
        assert home.kept(LANE) is None


def test_no_machine_is_up() -> None:
    with pytest.raises(UserError, match=r"no machine of debian-12/arm64/jit is up; .* up are: none"):
        home.named(LANE)


def test_a_root_is_where_the_shell_begins() -> None:
    assert "chroot /mnt/root" in Access(1, "/key", "", "/known", rooted=True).ssh[-1]


def test_two_machines_of_a_lane_are_refused() -> None:
    with home.lock(record()):
        result = CliRunner().invoke(boot, [LANE, "--keep"])
    assert isinstance(result.exception, UserError)
    assert "is up already" in str(result.exception)


@pytest.mark.parametrize("words", [["a", "b"], [f"{LANE}:/etc/passwd", "a", "b"]])
def test_copies_have_a_machine_at_one_end(words: list[str]) -> None:
    with home.lock(record()):
        result = CliRunner().invoke(cp, words)
    assert "files are copied to a machine or from one" in str(result.exception)


def test_the_record_is_plain() -> None:
    assert json.loads((record() / "machine.json").read_text())["access"]["port"] == 2222
