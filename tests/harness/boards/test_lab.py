# SPDX-License-Identifier: MIT
"""A guest as a board of a lab, by labgrid itself: `make labgrid`, which installs it; skipped where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.boards.running import Run
from tests.harness.boards.standin import StandIn, free_ports
from tests.waiting import until

pytest.importorskip("labgrid", reason="labgrid is an optional extra: make labgrid")
pytestmark = pytest.mark.guest
_PLACE = """\
targets:
  main:
    resources:
      RemotePlace: {name: pi}
    drivers:
      SerialDriver: {}
"""
_EXPORTED = """\
bench:
  NetworkService: {{address: bench-pi, username: root}}
  NetworkSerialPort: {{host: 127.0.0.1, port: {port}, protocol: raw}}
"""


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """A board that is off, and hangs when its kernel panics."""
    standin = StandIn(tmp_path_factory.mktemp("board"), panic=0)
    yield standin
    standin.switch("off")


def test_a_board_that_is_off_without_a_power_switch(board: StandIn, tmp_path: Path) -> None:
    run = Run(tmp_path, "run", "--target", board.lab(power=False), *board.reach, "--scripts", "counting")
    assert run.end() == 3
    assert "nothing answers SSH at 127.0.0.1" in run.said
    assert "labgrid has no power switch of it; switch it on, or give the target a driver" in run.said


def test_a_board_that_is_off_is_switched_on(board: StandIn, tmp_path: Path) -> None:
    run = Run(tmp_path, "run", "--target", board.lab(), *board.reach, "--scripts", "counting")
    assert run.end() == 0, run.said
    assert "ssh://root@bench-pi does not answer; labgrid switches it on" in run.said
    assert board.cycles == 0


def test_a_board_that_crashes_is_switched_off_and_on_and_the_run_goes_on(board: StandIn, tmp_path: Path) -> None:
    board.crash_at_a_probe()
    run = Run(tmp_path, "run", "--target", board.lab(), *board.reach, "--scripts", "count*,stored*")
    assert run.end() == 3, run.said
    (lost,) = (result for result in run.results if result["verdict"] != "agree")
    assert (lost["verdict"], len(run.results)) == ("lost", 6), run.said
    assert "its console printed: Kernel panic - not syncing: sysrq triggered crash" in lost["reason"]
    assert "it was switched off and on, since it did not answer any more" in run.said
    assert "Kernel panic" in (run.folder / "board-bench-pi-x86_64/console.log").read_text()
    assert board.cycles == 1


@pytest.fixture
def coordinator(board: StandIn, tmp_path: Path) -> Iterator[str]:
    """The address of a coordinator that has the board as the place `pi`."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    exported = tmp_path / "exported.yaml"
    exported.write_text(_EXPORTED.format(port=board.console_port))
    daemons = (
        ["labgrid-coordinator", "-l", address],
        ["labgrid-exporter", "-c", address, "-n", "lab", "--hostname", "127.0.0.1", str(exported)],
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command, ready in zip(daemons, ("places", "resources"), strict=True):
            program = Path(sys.executable).with_name(command[0])
            started.append(subprocess.Popen([program, *command[1:]], cwd=tmp_path))  # where it keeps its places
            until(lambda ready=ready: _client(address, ready).returncode == 0)
        until(lambda: "NetworkService" in _client(address, "resources").stdout)
        for words in (("create",), ("add-match", "lab/bench/*")):
            assert _client(address, "-p", "pi", *words).returncode == 0
        yield address
    finally:
        for daemon in reversed(started):
            daemon.terminate()
            daemon.wait(60)


def _client(address: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "labgrid.remote.client", "-x", address, *words]
    own = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=own)


def test_a_place_of_a_coordinator_is_acquired_and_released(board: StandIn, coordinator: str, tmp_path: Path) -> None:
    board.switch("on")
    file = tmp_path / "place.yaml"
    file.write_text(_PLACE)
    words = ("run", "--target", f"labgrid:{file}", *board.reach, "--scripts", "counting")
    run = Run(tmp_path, *words, LG_COORDINATOR=coordinator)
    assert run.end() == 0, run.said
    assert "console by labgrid; the place pi is acquired until the end" in run.said
    assert "pi is released" in run.said
    assert "acquired: None" in _client(coordinator, "-p", "pi", "show").stdout

    assert _client(coordinator, "-p", "pi", "acquire", LG_USERNAME="bob").returncode == 0
    run = Run(tmp_path, *words, LG_COORDINATOR=coordinator)
    assert run.end() == 2, run.said
    assert "place pi is not acquired by your user, acquired by bob" in run.said
