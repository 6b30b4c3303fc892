# SPDX-License-Identifier: MIT
"""A guest that stands in for a board: a QEMU of its own that scripts switch on and off, as the power switch of a lab
does, with a console and an SSH server at ports that stay the same. The bench knows it by these alone."""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
from pathlib import Path

from harness.session import prepare
from hil.machine import MachineSpec, accelerator, transport
from hil.machine.command import qemu_command
from tests.waiting import until

_ON = """\
#!/bin/sh
[ -e {folder}/pid ] && kill -0 "$(cat {folder}/pid)" 2>/dev/null && exit
exec {qemu} -daemonize -pidfile {folder}/pid
"""
_OFF = """\
#!/bin/sh
[ -e {folder}/pid ] || exit 0
kill -9 "$(cat {folder}/pid)" 2>/dev/null
while kill -0 "$(cat {folder}/pid)" 2>/dev/null; do sleep 0.05; done
rm -f {folder}/pid
"""
_CYCLE = """\
#!/bin/sh
echo cycled >>{folder}/cycles
{folder}/off && {folder}/on
"""
_CRASH = "until grep -q . /tracing/kprobe_events; do sleep 0.01; done; echo c >/proc/sysrq-trigger"
_LAB = """\
targets:
  main:
    resources:
      NetworkService: {{address: bench-pi, username: root}}
{console}
    drivers:
{serial}
{power}
"""
_SERIAL = "      NetworkSerialPort: {{host: 127.0.0.1, port: {port}, protocol: raw}}"
_POWER = "      ExternalPowerDriver: {{cmd_on: {folder}/on, cmd_off: {folder}/off, cmd_cycle: {folder}/cycle}}"


class StandIn:
    """A board. `panic` is the parameter of its kernel: 0 has it hang after a panic, as most boards do, 1 reboot."""

    def __init__(self, folder: Path, kernel: str = "debian-12", arch: str = "x86_64", *, panic: int = 0) -> None:
        self.folder = folder
        bootable = prepare(kernel, arch)
        self.config = bootable.kernel.config
        self._key = bootable.root.key
        self.ssh_port, self.console_port = free_ports(2)
        spec = MachineSpec(bootable.kernel, bootable.root, folder, cpus=2, append=(f"panic={panic}",))
        self._write("on", _ON.format(folder=folder, qemu=shlex.join(self._command(spec))))
        self._write("off", _OFF.format(folder=folder))
        self._write("cycle", _CYCLE.format(folder=folder))
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.ssh_port} {bootable.root.host_key}\n")
        self.ssh_config = folder / "ssh_config"
        self.ssh_config.write_text(
            f"Host bench-pi\n  HostName 127.0.0.1\n  Port {self.ssh_port}\n  User root\n  IdentityFile {self._key}\n"
            f"  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n"
        )

    def lab(self, *, power: bool = True, console: bool = True) -> str:
        """The --target that leads there by an environment of labgrid."""
        file = self.folder / "env.yaml"
        file.write_text(
            _LAB.format(
                console=_SERIAL.format(port=self.console_port) if console else "",
                serial="      SerialDriver: {}" if console else "",
                power=_POWER.format(folder=self.folder) if power else "",
            )
        )
        return f"labgrid:{file}"

    @property
    def reach(self) -> tuple[str, ...]:
        """The options besides --target."""
        return "--ssh-config", str(self.ssh_config), "--target-config", str(self.config)

    @property
    def cycles(self) -> int:
        """How often it was switched off and on."""
        file = self.folder / "cycles"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def switch(self, how: str) -> None:
        """Switches it: on, off, cycle."""
        subprocess.run([str(self.folder / how)], check=True, timeout=60)

    def ssh(self, command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command there beside the bench."""
        words = ["ssh", "-F", str(self.ssh_config), "-o", "ConnectTimeout=5", "bench-pi", command]
        return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    def answers(self) -> None:
        """Waits until it has booted."""
        until(lambda: self.ssh("true").returncode == 0)

    def crash_at_a_probe(self) -> None:
        """Has its kernel panic when a run has made its first probe, once."""
        self.ssh(f"({_CRASH}) </dev/null >/dev/null 2>&1 &")

    def _command(self, spec: MachineSpec) -> list[str]:
        command = qemu_command(spec, accelerator.choose(spec.kernel.arch), transport.choose(spec.kernel))
        command.remove("-no-reboot")
        at = command.index("-chardev")
        console = ["-serial", f"tcp:127.0.0.1:{self.console_port},server=on,wait=off"]
        end = command.index("-mon") + 2
        command[at:end] = console
        return [word.replace("hostfwd=tcp:127.0.0.1:0-", f"hostfwd=tcp:127.0.0.1:{self.ssh_port}-") for word in command]

    def _write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.write_text(text)
        file.chmod(0o755)


def free_ports(number: int) -> list[int]:
    """Ports of this host at which nothing listens."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
