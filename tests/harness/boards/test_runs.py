# SPDX-License-Identifier: MIT
"""A guest as a board, known to the bench by nothing but host, port and key: runs on it, and how they end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.loader.access import Access
from harness.session import lane_session, prepare
from hil.machine import Machine

pytestmark = pytest.mark.guest
_HELD = 'ls -A /tmp; cat "$1"/kprobe_events /proc/sys/net/core/bpf_jit_enable; pidof agent.bin'
_SCALE = "0.1"
"""For the run that waits for a board which does not come back: 18 s."""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    bootable = prepare("debian-12", "x86_64")
    with lane_session(bootable, tmp_path_factory.mktemp("board") / "machine", all_cpus=True) as session:
        yield session.target


@pytest.fixture
def reach(board: Machine, tmp_path: Path) -> tuple[str, ...]:
    """The options that lead to the board, which shows no configuration."""
    access = Access.of(board, tmp_path, rooted=False)
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host bench-guest\n  HostName 127.0.0.1\n  Port {access.port}\n  User root\n  IdentityFile {access.key}\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {access.known_hosts}\n"
    )
    kernel = board.spec.kernel.config
    return "--target", "ssh://bench-guest", "--ssh-config", str(config), "--target-config", str(kernel)


class Run:
    """A run of the bench as a process of its own; `said` is what it printed."""

    def __init__(self, folder: Path, *words: str, scale: str = "") -> None:
        own = {"XDG_STATE_HOME": str(folder / "state"), **({"HIL_TIME_SCALE": scale} if scale else {})}
        self._folder = folder
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hil", *words, "--output", str(folder / "runs")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **own},
        )
        self.said = ""

    def until(self, text: str) -> None:
        """Waits until it says so."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.said += line
            if text in line:
                return
        pytest.fail(f"it never said {text!r}: {self.said}")

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Waits for its end; returns the exit status."""
        self.said += self._process.communicate(timeout=600)[0]
        return self._process.returncode

    @property
    def results(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads((self._folder / "runs/latest/results.json").read_text())["results"]
        return found


def held(board: Machine) -> bytes:
    """What a run may change there."""
    return board.run(["sh", "-c", _HELD, "held", board.tracing]).stdout


def test_scripts_agree(board: Machine, reach: tuple[str, ...], tmp_path: Path) -> None:
    before = held(board)
    run = Run(tmp_path, "run", *reach, "--scripts", "count*")
    assert run.end() == 0, run.said
    assert "judged by the rules of 6.1, Debian's" in run.said
    assert {result["verdict"] for result in run.results} == {"agree"}
    assert held(board) == before


def test_probes_that_stay_while_a_run_lasts_are_removed(board: Machine, reach: tuple[str, ...], tmp_path: Path) -> None:
    before = held(board)
    run = Run(tmp_path, "fuzz", *reach, "--seed", "7", "--cases", "2")
    assert run.end() == 0, run.said
    assert held(board) == before


def test_a_run_that_is_interrupted_leaves_the_board_as_it_was(
    board: Machine, reach: tuple[str, ...], tmp_path: Path
) -> None:
    before = held(board)
    run = Run(tmp_path, "conform", *reach)
    run.until("running interp")
    run.interrupt()
    assert run.end() == 130, run.said
    assert held(board) == before


def test_a_board_that_dies_loses_what_did_not_run(board: Machine, reach: tuple[str, ...], tmp_path: Path) -> None:
    """The last test: the board does not come back."""
    run = Run(tmp_path, "conform", *reach, "--clauses", "DET-*", scale=_SCALE)
    run.until("running jit")
    os.kill(board.pid, signal.SIGKILL)
    assert run.end() == 3, run.said
    lost = [result for result in run.results if result["verdict"] == "lost"]
    assert 0 < len(lost) < len(run.results)
    reasons = {result["reason"] for result in lost}
    told = ("SSH: the connection broke", "the board does not answer any more")
    assert any(sentence in reason for sentence in told for reason in reasons), reasons
    assert any("nothing answers SSH at 127.0.0.1" in reason for reason in reasons), reasons
    assert "the line was cut before the board was put back" in run.said
