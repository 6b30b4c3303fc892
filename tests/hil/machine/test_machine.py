# SPDX-License-Identifier: MIT
"""Machines that really boot, and every way in which they can end."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from hil import cache, guestroot
from hil.arch import architecture, architectures
from hil.errors import BenchError, MachineLost
from hil.gdb.registers import register_file
from hil.guestroot import cpio
from hil.kernels import store
from hil.machine import (
    GuestPanicked,
    Machine,
    MachineSpec,
    MachineStopped,
    QemuExited,
    Wait,
    WaitFailed,
    login,
    speed,
    states,
)
from hil.machine import machine as module
from hil.machine.postmortem import Death
from hil.machine.process import QemuProcess
from hil.machine.waits import RESTORE
from hil.postmortem import examine
from tests.waiting import until

pytestmark = pytest.mark.guest

_KERNELS = ("debian-12", "debian-13")
"""The kernels to boot, of which the first that exists for an architecture is used."""


def _spec(arch: str, folder: Path) -> MachineSpec:
    name = next(name for name in _KERNELS if name not in architecture(arch).without)
    kernel = store.get(name, architecture(arch))
    return MachineSpec(kernel, guestroot.build(kernel), folder)


@pytest.fixture(params=list(architectures()))
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> MachineSpec:
    return _spec(request.param, tmp_path)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine of the architecture that boots fastest, for tests that do not depend on it."""
    with Machine(_spec("arm64", tmp_path)) as machine:
        yield machine


def _took(action: Callable[[], object]) -> float:
    """The duration in nominal seconds."""
    scale = speed.scale()
    started = time.monotonic()
    action()
    return (time.monotonic() - started) / max(scale, speed.scale())


def _gone(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_boots_and_answers(spec: MachineSpec) -> None:
    machine = Machine(spec)
    with machine:
        assert machine.alive
        assert machine.run(["uname", "-r"]).stdout.decode().strip() == spec.kernel.release
        assert machine.run(["sh", "-c", "cat; echo oh >&2; exit 7"], stdin=b"in").stderr == b"oh\n"
        assert machine.run(["sh", "-c", "kill -9 $$"]).status == 128 + signal.SIGKILL
        stream = machine.open(["cat"])
        stream.write(b"\0binary\xff")
        assert stream.read(100) == b"\0binary\xff"
        stream.close()
        assert machine.qmp.execute("query-status")["status"] == "running"
        assert machine.gdb_socket.is_socket()
        pid, sockets = machine.pid, machine.gdb_socket.parent
    assert not machine.alive
    assert machine.ending is not None
    assert (machine.ending.by, machine.ending.returncode) == ("quit", 0)
    assert _gone(pid)
    assert not sockets.exists()
    assert "hil: ready" in spec.console_log.read_text()
    assert spec.command_file.read_text().startswith(spec.kernel.arch.qemu)
    machine.stop()
    with pytest.raises(MachineStopped):
        machine.run(["true"])


def test_the_recorded_command_starts_the_same_machine_by_hand(tmp_path: Path) -> None:
    with Machine(_spec("arm64", tmp_path)) as machine:
        pass
    assert machine.command == shlex.split(machine.spec.command_file.read_text())
    with subprocess.Popen(
        ["sh", machine.spec.command_file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        assert any("hil: ready" in line for line in process.stdout)
        process.stdin.write("\x01x")  # Ctrl-A X
        process.stdin.flush()
        assert process.wait(60 * speed.scale()) == 0


def test_a_saved_machine_whose_check_fails_is_not_waited_for(tmp_path: Path) -> None:
    """QEMU 7.2 tries for ever to load an empty file."""
    saved = tmp_path / "saved"
    with cache.replaced(saved) as new:
        (new / states.STATE).write_bytes(b"RAM")
        (new / states.CONSOLE).touch()
    (saved / states.STATE).chmod(0o644)
    (saved / states.STATE).write_bytes(b"")
    spec = replace(_spec("arm64", tmp_path / "run"), state=saved)

    def restore() -> None:
        with pytest.raises(cache.Damaged, match="state is damaged"), Machine(spec):
            pass

    assert _took(restore) < RESTORE.seconds / 2


def test_panic_is_named_with_its_trace(spec: MachineSpec) -> None:
    machine = Machine(spec)
    if not spec.kernel.arch.always_booted:  # or another boot, for the symbols, takes long
        machine.remains.examiner = partial(examine, machine)
    with machine:
        machine.run(["true"])
        machine.qmp.execute("stop")
        paused = "the guest does not run, since QEMU's state is paused: CPU 0 " if machine.remains.examiner else ""
        with pytest.raises(WaitFailed, match=paused):
            machine.run(["true"], timeout=1)
        machine.qmp.execute("cont")
        stream = machine.open(["sh", "-c", "echo c > /proc/sysrq-trigger; cat"])
        with pytest.raises(GuestPanicked, match=r"panicked: .*sysrq triggered crash") as caught:
            stream.read(1)
        assert "write_sysrq_trigger" in machine.console.text
        assert "command: qemu-system-" in caught.value.details
        assert "Kernel panic" in caught.value.details
        with pytest.raises(GuestPanicked):
            machine.run(["true"])
    assert machine.ending is not None
    assert "panicked" in machine.ending.reason
    if machine.remains.examiner is None:
        return
    assert machine.postmortem is not None and machine.postmortem.death is Death.CRASH
    (cpu,) = machine.postmortem.cpus
    assert cpu.place == "panics in sysrq_handle_crash"
    names = [frame.split()[1].partition("+")[0] for frame in cpu.frames]
    assert {"panic", "write_sysrq_trigger", "vfs_write"} <= set(names) and "??" not in names
    assert int(cpu.registers[register_file(machine.arch.name).pc], 16) == int(cpu.frames[0].split()[0], 16)
    assert any("Kernel panic" in line for line in machine.postmortem.console)
    kept = {file: (spec.folder / file).read_text() for file in ("postmortem.txt", "postmortem-2.txt")}
    assert kept["postmortem.txt"].startswith("hang: ") and kept["postmortem-2.txt"].startswith("crash: Kernel panic")


def test_the_message_of_a_panic_alone_ends_nothing_and_a_later_panic_counts(spec: MachineSpec) -> None:
    with Machine(spec) as machine:
        words = "Kernel panic - not syncing: says a program"
        machine.run(["sh", "-c", f"echo '<0>{words}' >/dev/kmsg; echo '{words} again' >/dev/console"])
        machine.wait_for(Wait("the words", 30), lambda: machine.console.shows(f"{words} again"))
        assert machine.run(["true"]).status == 0
        assert machine.alive
        assert f"{words} again" in machine.warnings[0]
        stream = machine.open(["sh", "-c", "echo c > /proc/sysrq-trigger; cat"])
        with pytest.raises(GuestPanicked, match="sysrq triggered crash"):
            stream.read(1)
        assert machine.warnings == ()


def test_a_reboot_after_the_message_of_a_panic_is_no_panic(machine: Machine) -> None:
    machine.run(["sh", "-c", "echo '<0>Kernel panic - not syncing: says a program' >/dev/kmsg"])
    # `quiet` passes only errors and worse, and the kernel's message about a restart has the level of emergencies.
    stream = machine.open(["sh", "-c", "reboot -f; cat"])
    with pytest.raises(QemuExited, match="guest-reset"):
        stream.read(1)
        machine.wait_for(Wait("the reset", 30), lambda: False)


@pytest.mark.parametrize("moment", ["start", "port", "login"])
def test_a_qemu_that_is_stopped_during_boot_is_lost_by_name(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hil.machine.login.LOGIN", Wait("a login", 3))
    monkeypatch.setattr("hil.machine.machine.QMP_ANSWER", Wait("an answer", 3))
    machine = Machine(_spec("arm64", tmp_path))

    def stopped(before: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*arguments: object, **named: object) -> object:
            assert machine._process is not None
            os.kill(machine._process.pid, signal.SIGSTOP)
            return before(*arguments, **named)

        return wrapped

    where = {"start": (module, "Monitor"), "port": (module.Monitor, "forwarded_port"), "login": (login, "connect")}
    monkeypatch.setattr(*where[moment], stopped(getattr(*where[moment])))
    with pytest.raises(MachineLost, match="the QEMU process is stopped"), machine:
        machine.run(["true"])  # the login is made when it is needed
    assert machine.ending is not None and machine.ending.by == "SIGKILL"


def test_a_fork_bomb_does_not_hang_the_bench(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hil.machine.machine.LOGIN", Wait("a login", 3))
    machine.open(["sh", "-c", "f() { f | f & }; f"])

    def use() -> None:
        # The write may succeed; it must not hang.
        with contextlib.suppress(MachineLost):
            machine.open(["cat"])
        with contextlib.suppress(MachineLost):
            machine.run(["true"], timeout=5)

    assert _took(use) < 60


def test_death_of_qemu_ends_a_read_at_once(machine: Machine) -> None:
    stream = machine.open(["sleep", "600"])
    os.kill(machine.pid, signal.SIGKILL)

    def read() -> None:
        with pytest.raises(QemuExited, match="SIGKILL"):
            stream.read(1)

    assert _took(read) < 5
    assert not machine.alive
    assert "SIGKILL" in (machine.lost_reason() or "")


def test_two_threads_may_stop_it_at_once(machine: Machine) -> None:
    # As after Ctrl-C: the interrupted thread and the one that uses the machine both stop it.
    together = threading.Barrier(4)

    def stop() -> None:
        together.wait()
        machine.stop()

    with ThreadPoolExecutor(4) as pool:
        for stopped in [pool.submit(stop) for _ in range(4)]:
            stopped.result()
    assert machine.ending is not None and _gone(machine.pid)


def test_power_off_is_reported(machine: Machine) -> None:
    stream = machine.open(["poweroff", "-f"])
    with pytest.raises(QemuExited, match="guest-shutdown"):
        while stream.read(1):
            pass
        machine.wait_for(Wait("the power to go", 30), lambda: False)


def test_command_that_hangs_is_ended_by_its_deadline(machine: Machine) -> None:
    with pytest.raises(WaitFailed, match="sleep 600 did not end"):
        machine.run(["sleep", "600"], timeout=0.5)
    assert machine.run(["true"]).status == 0


@pytest.mark.parametrize("seen", [True, False])
def test_stuck_qemu_is_killed(seen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once where it is seen to be stopped; otherwise after it was asked, and got a SIGTERM."""
    if not seen:
        monkeypatch.setattr(QemuProcess, "stopped", False)
        monkeypatch.setattr("hil.machine.machine.QUIT", Wait("QEMU to quit", 0.1))
        monkeypatch.setattr("hil.machine.machine.TERMINATE", Wait("QEMU to end on SIGTERM", 0.1))
    machine = Machine(_spec("arm64", tmp_path))
    machine.start()
    sent: list[signal.Signals] = []
    process = machine._process
    assert process is not None
    send = process.send
    monkeypatch.setattr(process, "send", lambda number: (sent.append(number), send(number)))
    os.kill(machine.pid, signal.SIGSTOP)
    if seen:  # a process with several threads stops a moment later
        until(lambda: process.stopped)
    machine.stop()
    assert machine.ending is not None
    assert machine.ending.by == "SIGKILL"
    assert sent == ([signal.SIGKILL] if seen else [signal.SIGTERM, signal.SIGKILL])
    assert _gone(machine.pid)


def test_kernel_that_cannot_boot_names_the_reason(tmp_path: Path) -> None:
    spec = _spec("arm64", tmp_path)
    broken = MachineSpec(spec.kernel, spec.root, tmp_path, append=("rdinit=/absent", "root=/dev/absent"))
    machine = Machine(broken)
    with pytest.raises(GuestPanicked, match=r"waiting for the guest to boot: .*panic"):
        machine.start()
    assert machine.ending is not None
    assert _gone(machine.pid)


def test_guest_without_an_ssh_server_ends_at_once(tmp_path: Path) -> None:
    spec = _spec("arm64", tmp_path)
    # The kernel unpacks consecutive archives: Documentation/driver-api/early-userspace/buffer-format.rst
    damage = cpio.archive({"etc/dropbear/host_key": cpio.regular(b"no key")})
    damaged = tmp_path / "damaged.cpio"
    damaged.write_bytes(spec.root.initramfs.read_bytes() + damage)
    machine = Machine(replace(spec, root=replace(spec.root, initramfs=damaged)))
    with pytest.raises(
        QemuExited, match=r"waiting for the guest to boot: .*guest-shutdown\).*cannot start the SSH server"
    ):
        machine.start()


def test_bad_qemu_command_shows_the_messages_of_qemu(tmp_path: Path) -> None:
    spec = _spec("arm64", tmp_path)
    with pytest.raises(QemuExited) as caught:
        Machine(MachineSpec(spec.kernel, spec.root, tmp_path, memory=0, cpus=100000)).start()
    assert "CPU" in caught.value.details.split("last lines")[0]


def test_missing_qemu_names_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = _spec("arm64", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BenchError, match="apt-get install qemu-system-arm"):
        Machine(spec).start()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_outlives_the_bench(number: signal.Signals, tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from hil.machine import Machine
        from tests.hil.machine.test_machine import _spec
        with Machine(_spec("arm64", Path(sys.argv[1]))) as machine:
            print(machine.pid, machine.gdb_socket, flush=True)
            time.sleep(600)
        """
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as bench:
        assert bench.stdout is not None
        pid, gdb = bench.stdout.readline().split()
        assert not _gone(int(pid))
        bench.send_signal(number)
    deadline = time.monotonic() + 30 * speed.scale()
    while not _gone(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert _gone(int(pid))
    # SIGKILL and SIGTERM leave a folder for the next start to remove; Ctrl-C does not.
    assert Path(gdb).exists() == (number != signal.SIGINT)
