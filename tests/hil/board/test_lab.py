# SPDX-License-Identifier: MIT
"""Boards of labgrid: with labgrid itself where it is installed, else with something that has its interface."""

from __future__ import annotations

import os
import pickle
import platform
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hil.agent.local import host_architecture
from hil.board import board as hil_board
from hil.board import keeper, reaching
from hil.board import lab as hil_lab
from hil.board.board import Board, BoardTarget
from hil.board.lab import Lab
from hil.board.login import Unreachable
from hil.board.reaching import wake
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
      ExternalConsoleDriver: {{cmd: "sh -c 'printf \\"one\\\\nKernel panic - not syncing: now\\\\n\\"; exec sleep 9h'"}}
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
        self.prints: list[bytes | Exception] = [f"[    1.0] {PANIC}\n".encode()]
        self.switched: list[str] = []
        self.opened = 0
        self.places: dict[str, object] = {}
        self._read = threading.Lock()

    def get_resource(self, _: object) -> SimpleNamespace:
        return SimpleNamespace(address="127.0.0.1", username="root", port=self.host.address[1])

    def get_driver(self, protocol: str, activate: bool) -> Pretended:
        return self

    def activate(self, driver: Pretended) -> None:
        self.opened = self.opened or 1

    def deactivate(self, driver: Pretended) -> None:
        self.opened += 1

    def read(self, timeout: float) -> bytes:
        with self._read:
            if not self.crashed.wait(timeout) or not self.prints:
                raise Quiet
            match self.prints.pop(0):
                case bytes() as data:
                    return data
                case error:
                    raise error

    def on(self) -> None:
        self._switch("on")

    def cycle(self) -> None:
        self._switch("cycle")

    def _switch(self, how: str) -> None:
        """Raises where labgrid's own steps would get into each other's way."""
        if not self._read.acquire(blocking=False):
            raise AssertionError("the console is read")
        self._read.release()
        self.switched.append(how)


@pytest.fixture
def pretended(host: ThisHost, monkeypatch: pytest.MonkeyPatch) -> Pretended:
    made = Pretended(host)
    config = SimpleNamespace(get_targets=lambda: {"main": "its configuration"})
    environment = SimpleNamespace(get_target=lambda role: made, config=config)
    factory = SimpleNamespace(normalize_config=lambda _: ({"RemotePlace": made.places}, {}))
    exceptions = SimpleNamespace(NoDriverFoundError=NoDriver)
    modules = {
        "labgrid": SimpleNamespace(Environment=lambda _: environment, exceptions=exceptions, target_factory=factory),
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
    lab.cycle()
    assert (tmp_path / "cycled").exists()
    bare = Lab(f"labgrid:{file}#bare")
    assert "neither console nor power" in bare.told and not bare.has_power
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
    assert pretended.switched == ["cycle"]


@pytest.mark.parametrize("silent", [True, False])
def test_a_board_that_printed_a_panic_has_to_answer_soon(
    pretended: Pretended, host: ThisHost, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent: bool
) -> None:
    monkeypatch.setenv("HIL_TIME_SCALE", "1")
    monkeypatch.setattr(keeper, "EVERY", 0.02)
    monkeypatch.setattr(hil_board, "_AFTER_A_PANIC", 0.5 if silent else 60.0)
    lab, place = Lab(f"labgrid:{file}"), tmp_path / "place"
    place.mkdir()
    board = Board(lab.address, "ours", "ours@desk", host.ssh_config, places=(str(place),), lab=lab)
    with BoardTarget(board, host_architecture(), platform.release(), tmp_path / "run") as target:
        if silent:
            host.muted.set()
        pretended.crashed.set()
        watching = next(one for one in threading.enumerate() if one.name == "hil-board-panic")
        watching.join(60)
        assert target.alive is not silent
        reason = target.lost_reason()
    assert reason is not None and reason.endswith(PANIC)
    assert ("no answer after a panic" in reason) is silent
    until(lambda: not list(place.iterdir()))


def test_a_console_that_breaks_is_opened_again(
    pretended: Pretended, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hil_lab, "_OPENED_AGAIN", 0.01)
    pretended.prints.insert(0, OSError("unplugged"))
    lab = Lab(f"labgrid:{file}")
    console = lab.listen(tmp_path / "console.log", Liveness())
    assert console is not None
    pretended.crashed.set()
    until(lambda: console.panic)
    lab.close()
    assert pretended.opened == 2


def test_a_console_whose_file_cannot_be_written_is_read_and_told_once(
    pretended: Pretended, file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "console.log").symlink_to("/dev/full")
    pretended.prints.insert(0, b"[    0.0] begins\n")
    lab = Lab(f"labgrid:{file}")
    console = lab.listen(tmp_path / "console.log", Liveness())
    assert console is not None
    pretended.crashed.set()
    until(lambda: console.panic)
    lab.close()
    (told,) = [record.getMessage() for record in caplog.records if "lacks" in record.getMessage()]
    assert "console.log lacks" in told and "No space left" in told


def test_a_console_that_nobody_reads_any_more_ends(
    pretended: Pretended, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hil_lab, "_QUIET", 0.01)
    unread: list[socket.socket] = []
    monkeypatch.setattr(hil_lab, "Console", lambda stream, _: unread.append(stream))
    pretended.prints.insert(0, bytes(8 << 20))  # more than the sockets hold
    lab = Lab(f"labgrid:{file}")
    lab.listen(tmp_path / "console.log", Liveness())
    pretended.crashed.set()
    until(lambda: (tmp_path / "console.log").exists() and (tmp_path / "console.log").stat().st_size >= 8 << 20)
    closing = threading.Thread(target=lab.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()


def test_a_driver_that_does_not_return_is_left(
    pretended: Pretended,
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(hil_lab, "_ENDING", 0.01)
    returns, reads = threading.Event(), threading.Event()

    def read(timeout: float) -> bytes:
        reads.set()
        returns.wait()
        return b""

    monkeypatch.setattr(pretended, "read", read)
    lab = Lab(f"labgrid:{file}")
    lab.listen(tmp_path / "console.log", Liveness())
    assert reads.wait(60)
    lab.close()
    returns.set()
    assert "does not return" in caplog.text


def test_the_console_is_not_read_while_the_board_is_switched(pretended: Pretended, file: Path, tmp_path: Path) -> None:
    lab = Lab(f"labgrid:{file}")
    lab.listen(tmp_path / "console.log", Liveness())
    lab.cycle()
    assert pretended.switched == ["cycle"]


def test_a_board_of_another_process_is_the_same(pretended: Pretended, file: Path) -> None:
    lab = Lab(f"labgrid:{file}")
    assert pickle.loads(pickle.dumps(lab)).address == lab.address


def test_a_board_that_is_off_is_switched_on(pretended: Pretended, host: ThisHost, file: Path) -> None:
    told: list[str] = []
    wake(Lab(f"labgrid:{file}"), host.ssh_config, 30.0, Unreachable("nothing answers"), told.append)
    assert pretended.switched == ["on"]
    assert told == [f"ssh://root@127.0.0.1:{host.address[1]} does not answer; labgrid switches it on"]


def test_a_board_that_stays_silent_is_switched_off_and_on(
    pretended: Pretended, host: ThisHost, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "_AGAIN", 0.01)
    host.close()
    with pytest.raises(BenchError, match="for 0 nominal s, though labgrid switched it on, and off and on"):
        wake(Lab(f"labgrid:{file}"), host.ssh_config, 0.01, Unreachable("nothing answers"), lambda _: None)
    assert pretended.switched == ["on", "cycle"]


def test_a_board_that_is_off_without_a_switch_is_told(
    pretended: Pretended, host: ThisHost, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lab, "has_power", False)
    with pytest.raises(Unreachable, match="nothing answers; labgrid has no power switch of it; switch it on, or give"):
        wake(Lab(f"labgrid:{file}"), host.ssh_config, 1.0, Unreachable("nothing answers"), lambda _: None)


def test_the_place_that_was_acquired_is_released(
    pretended: Pretended, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def run(command: list[str], **_: object) -> SimpleNamespace:
        asked.append(" ".join(command[-2:]))
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(hil_lab, "subprocess", SimpleNamespace(run=run, DEVNULL=None))
    pretended.places = {"pi": {}}
    lab = Lab(f"labgrid:{file}")
    assert lab.told.endswith("; the place pi is acquired until the end")
    told: list[str] = []
    lab.release(told.append)
    lab.release(told.append)
    assert told == ["pi is released"]
    assert asked == ["pi acquire", "pi release"]


def test_a_place_that_is_ours_already_stays_so(
    pretended: Pretended, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = SimpleNamespace(run=lambda *_, **__: SimpleNamespace(returncode=1, stderr=""), DEVNULL=None)
    monkeypatch.setattr(hil_lab, "subprocess", taken)
    pretended.places = {"pi": {}}
    lab = Lab(f"labgrid:{file}")
    assert "acquired" not in lab.told
    lab.release(pytest.fail)


def test_a_switch_that_fails_is_told(pretended: Pretended, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError("no such relay")

    monkeypatch.setattr(pretended, "cycle", fail)
    with pytest.raises(BenchError, match="cannot switch it off and on: no such relay"):
        Lab(f"labgrid:{file}").cycle()
