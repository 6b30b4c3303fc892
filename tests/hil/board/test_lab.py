# SPDX-License-Identifier: MIT
"""Boards of labgrid: with labgrid itself where it is installed, else with something that has its interface."""

from __future__ import annotations

import os
import platform
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hil.agent.local import host_architecture
from hil.board.board import Board, BoardTarget
from hil.board.lab import Lab
from hil.errors import BenchError, UserError
from hil.machine.liveness import Liveness
from tests.hil.board.this_host import ThisHost
from tests.waiting import until

PANIC = "Kernel panic - not syncing: sysrq triggered crash"
TARGET = """\
targets:
  main:
    resources:
      NetworkService: {{address: bench-pi, username: root, port: 2222}}
    drivers:
      ExternalConsoleDriver: {{cmd: "sh -c 'printf \\"one\\\\nKernel panic - not syncing: now\\\\n\\"; exec sleep 60'"}}
      ExternalPowerDriver: {{cmd_on: "true", cmd_off: "true", cmd_cycle: "touch {cycled}"}}
  bare:
    resources:
      NetworkService: {{address: bench-pi, username: root}}
  nowhere:
    drivers:
      ManualPowerDriver: {{}}
"""


class Quiet(Exception):
    """pexpect.TIMEOUT of the pretended labgrid."""


class NoDriver(Exception):
    """NoDriverFoundError of the pretended labgrid."""


class Pretended:
    """A target with a console that prints `prints` once `crashed` is set, and a power switch."""

    def __init__(self, host: ThisHost) -> None:
        self.host = host
        self.crashed = threading.Event()
        self.prints = [f"[    1.0] {PANIC}\n".encode()]
        self.cycled = 0

    def get_resource(self, _: object) -> SimpleNamespace:
        return SimpleNamespace(address="127.0.0.1", username="root", port=self.host.address[1])

    def get_driver(self, protocol: str) -> Pretended:
        return self

    def read(self, timeout: float) -> bytes:
        if not self.crashed.wait(timeout) or not self.prints:
            raise Quiet
        return self.prints.pop(0)

    def cycle(self) -> None:
        self.cycled += 1


@pytest.fixture
def pretended(host: ThisHost, monkeypatch: pytest.MonkeyPatch) -> Pretended:
    made = Pretended(host)
    environment = SimpleNamespace(get_target=lambda role: made if role == "main" else None)
    exceptions = SimpleNamespace(NoDriverFoundError=NoDriver)
    modules = {
        "labgrid": SimpleNamespace(Environment=lambda _: environment, exceptions=exceptions),
        "labgrid.protocol": SimpleNamespace(ConsoleProtocol="console", PowerProtocol="power"),
        "labgrid.resource": SimpleNamespace(NetworkService="service"),
        "pexpect": SimpleNamespace(TIMEOUT=Quiet),
    }
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return made


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "env.yaml"
    path.write_text(TARGET.format(cycled=tmp_path / "cycled"))
    yield path


def test_labgrid_itself(file: Path, tmp_path: Path) -> None:
    pytest.importorskip("labgrid", reason="labgrid is an optional extra: pip install hil[labgrid]")
    lab = Lab(f"labgrid:{file}")
    assert str(lab.address) == "ssh://root@bench-pi:2222"
    assert lab.told.endswith(", console and power by labgrid")
    console = lab.listen(tmp_path / "console.log", Liveness())
    assert console is not None
    until(lambda: console.panic)
    lab.close()
    assert "one\n" in (tmp_path / "console.log").read_text()
    assert lab.cycle() and (tmp_path / "cycled").exists()
    bare = Lab(f"labgrid:{file}#bare")
    assert "neither console nor power" in bare.told and not bare.cycle()
    assert bare.listen(tmp_path / "no.log", Liveness()) is None
    for role, said in (("nowhere", "give the target a NetworkService"), ("other", "has no target other")):
        with pytest.raises(UserError, match=said):
            Lab(f"labgrid:{file}#{role}")


def test_an_environment_that_is_none_is_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"there is no file nowhere\.yaml.*labgrid:FILE#ROLE"):
        Lab("labgrid:nowhere.yaml")
    monkeypatch.setitem(sys.modules, "labgrid", None)
    with pytest.raises(UserError, match=r"needs labgrid.*pip install"):
        Lab(f"labgrid:{file}")


def test_a_board_that_crashes_is_told_by_its_console_and_switched_off_and_on(
    pretended: Pretended, host: ThisHost, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HIL_TIME_SCALE", "1")
    lab, place = Lab(f"labgrid:{file}"), tmp_path / "place"
    place.mkdir()
    board = Board(lab.address, "ours", "ours@desk", host.ssh_config, places=(str(place),), lab=lab)
    with BoardTarget(board, host_architecture(), platform.release(), tmp_path / "run") as target:
        assert target.alive and target.console_log == tmp_path / "run/console.log"
        pretended.crashed.set()
        pid = int(target.folder.split("hil-board.")[1].split(".")[0])
        os.killpg(pid, signal.SIGKILL)
        until(lambda: not target.alive)
        reason = target.lost_reason()
    assert reason is not None and reason.endswith(f"its console printed: {PANIC}")
    assert PANIC in (tmp_path / "run/console.log").read_text()
    assert target.warnings == ("it was switched off and on, since it did not answer any more",)
    assert pretended.cycled == 1


def test_a_switch_that_fails_is_told(pretended: Pretended, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no such relay")

    monkeypatch.setattr(pretended, "cycle", fail)
    with pytest.raises(BenchError, match="cannot switch it off and on: no such relay"):
        Lab(f"labgrid:{file}").cycle()
