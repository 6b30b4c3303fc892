# SPDX-License-Identifier: MIT
"""QMP with a fake QEMU, and with a QEMU without a kernel."""

from __future__ import annotations

import errno
import json
import queue
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from hil.machine.monitor import Monitor, MonitorFailed, NoAnswer
from tests.hil.machine.conftest import descriptors
from tests.waiting import until


class Qemu:
    """A fake that answers QMP on a socket: `status` to query-status, and nothing while it is `silent`."""

    def __init__(self, status: str = "running") -> None:
        self.status = status
        self.silent = False
        self.ours, self._theirs = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def stops(self, status: str) -> None:
        self.status = status
        self._say({"event": "STOP", "timestamp": {"seconds": 0, "microseconds": 0}})

    def _serve(self) -> None:
        version = {"qemu": {"major": 7, "minor": 2, "micro": 0}, "package": ""}
        self._say({"QMP": {"version": version, "capabilities": []}})
        while data := self._theirs.recv(1 << 16):  # a request each: the client waits for an answer before the next one
            request = json.loads(data)
            result: dict[str, Any] = {"status": self.status} if request["execute"] == "query-status" else {}
            if not self.silent:
                self._say({"return": result} | ({"id": request["id"]} if "id" in request else {}))

    def _say(self, message: dict[str, Any]) -> None:
        self._theirs.sendall(f"{json.dumps(message)}\r\n".encode())


def test_a_guest_that_stops_is_reported_with_its_state() -> None:
    qemu, states = Qemu(), queue.SimpleQueue[str]()
    monitor = Monitor(qemu.ours, timeout=30)
    monitor.watch(states.put)
    assert states.get(timeout=30) == "running"
    qemu.stops("internal-error")
    assert states.get(timeout=30) == "internal-error"
    monitor.close()


def test_events_and_commands_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "hil")
    qemu, states = Qemu(), queue.SimpleQueue[str]()
    monitor = Monitor(qemu.ours, timeout=30)
    monitor.watch(states.put)
    assert states.get(timeout=30) == "running"
    qemu.stops("paused")
    assert states.get(timeout=30) == "paused"
    monitor.execute("query-version")
    monitor.close()
    assert [record.getMessage().split()[:2] for record in caplog.records] == [["event", "STOP"], ["query-version"]]


def test_a_guest_that_stopped_before_the_connection_is_reported() -> None:
    states = queue.SimpleQueue[str]()
    monitor = Monitor(Qemu("internal-error").ours, timeout=30)
    monitor.watch(states.put)
    assert states.get(timeout=30) == "internal-error"
    monitor.close()


def test_a_qemu_that_does_not_answer_is_lost_in_time() -> None:
    qemu = Qemu()
    monitor = Monitor(qemu.ours, timeout=30)
    qemu.silent = True
    with pytest.raises(MonitorFailed, match="did not answer"):
        monitor.quit(0.2)
    monitor.close()


def test_a_qemu_that_never_greets_is_lost_in_time() -> None:
    ours, theirs = socket.socketpair()
    with theirs, pytest.raises(NoAnswer, match="did not answer"):
        Monitor(ours, timeout=0.2)


def test_a_qemu_that_ends_before_it_greets_is_lost() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(NoAnswer, match="QMP qmp_capabilities"):
        Monitor(ours, timeout=30)


@contextmanager
def bare_qemu(*options: str) -> Iterator[socket.socket]:
    """A QEMU without a kernel, whose guest does not run yet; yields the socket of its QMP."""
    qemu = shutil.which("qemu-system-x86_64")
    if qemu is None:
        pytest.skip("no QEMU")
    ours, theirs = socket.socketpair()
    wiring = ["-chardev", f"socket,id=qmp,fd={theirs.fileno()}", "-mon", "chardev=qmp,mode=control"]
    common = ["-nodefaults", "-display", "none", "-S"]
    with subprocess.Popen([qemu, *common, *options, *wiring], pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        try:
            yield ours
        finally:
            process.kill()


@pytest.mark.guest
def test_a_real_qemu_reports_why_it_stopped(tmp_path: Path) -> None:
    """Its firmware writes to pvpanic's port, for which `-action panic=pause` stops the guest: the quickest RunState of
    the bad ones that an emulated CPU can be brought to."""
    image = bytearray(0x10000)
    # mov dx, 0x505; mov al, 1; out dx, al; hlt, at the reset vector, 16 bytes below the end.
    image[0xFFF0:0xFFF7] = bytes.fromhex("ba0505b001eef4")
    (tmp_path / "bios").write_bytes(image)
    states = queue.SimpleQueue[str]()
    with bare_qemu("-device", "pvpanic", "-action", "panic=pause", "-bios", str(tmp_path / "bios")) as ours:
        monitor = Monitor(ours, timeout=60)
        monitor.watch(states.put)
        assert states.get(timeout=60) == "prelaunch"
        monitor.execute("cont")
        assert states.get(timeout=60) == "guest-panicked"
        monitor.close()


@pytest.mark.guest
def test_a_real_qemu_loads_what_another_one_saved_and_the_pipe_is_closed(tmp_path: Path) -> None:
    with bare_qemu() as ours, closing(Monitor(ours, timeout=60)) as monitor, (tmp_path / "state").open("wb") as file:
        monitor.save(file)
    loaded = threading.Event()
    with (
        bare_qemu("-incoming", "defer") as ours,
        closing(Monitor(ours, timeout=60, on_load=loaded.set)) as monitor,
    ):
        before = descriptors()
        monitor.load(tmp_path / "state")
        assert loaded.wait(60) and monitor.loaded
        until(lambda: descriptors() == before)


@pytest.mark.guest
def test_a_state_that_is_not_there_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    with bare_qemu("-incoming", "defer") as ours, closing(Monitor(ours, timeout=60)) as monitor:
        before = descriptors()
        with pytest.raises(MonitorFailed, match=r"state of the machine cannot be read: .*No such file"):
            monitor.load(tmp_path / "state")
        assert descriptors() == before


@pytest.mark.parametrize("what", ["os.pipe", "pathlib.Path.open"])
def test_a_host_without_descriptors_says_nothing_of_the_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    (tmp_path / "state").touch()
    with closing(Monitor(Qemu().ours, timeout=30)) as monitor, monkeypatch.context() as patch:
        patch.setattr(what, refuse)
        with pytest.raises(OSError, match="Too many open files"):
            monitor.load(tmp_path / "state")
