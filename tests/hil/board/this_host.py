# SPDX-License-Identifier: MIT
"""This host as a board: an SSH server in this process, whose commands are processes of this host."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hil.board.address import Address, parse
from tests.hil.machine.server import Server

_CHUNK = 1 << 16


def new_key(path: Path) -> paramiko.Ed25519Key:
    """A new key, which is also in a file."""
    path.write_bytes(Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    return paramiko.Ed25519Key.from_private_key_file(str(path))


class ThisHost(Server):
    """The server, with a user's ssh_config beside it in `folder`. `says` answers a command instead of this host, None
    leaves it to the host. While `muted` is set, nothing that commands print arrives."""

    def __init__(self, folder: Path, says: Callable[[str], bytes | None] = lambda _: None) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.says = says
        self.muted = threading.Event()
        self._processes: list[subprocess.Popen[bytes]] = []
        super().__init__(new_key(folder / "host"), new_key(folder / "client"), self._run, 1000)
        self.known_hosts = folder / "known_hosts"
        self.ssh_config = folder / "ssh_config"
        self.know(self.host_key)
        self.ssh_config.write_text(
            f"Host *\n  IdentityFile {folder}/client\n  IdentitiesOnly yes\n  UserKnownHostsFile {self.known_hosts}\n"
        )

    @property
    def board(self) -> Address:
        """The address as users give it."""
        return parse(f"ssh://root@127.0.0.1:{self.address[1]}")

    def know(self, key: paramiko.PKey) -> None:
        """Make `key` the one that is known of this host."""
        encoded = base64.b64encode(key.asbytes()).decode()
        self.known_hosts.write_text(f"[127.0.0.1]:{self.address[1]} {key.get_name()} {encoded}\n")

    def close(self) -> None:
        super().close()
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        transport = self.transports[-1]
        there = socket.create_connection(destination)

        def forward() -> None:
            channel = transport.accept(60)
            threading.Thread(target=_pump, args=(channel.recv, there.sendall), daemon=True).start()
            _pump(there.recv, channel.sendall)

        threading.Thread(target=forward, daemon=True).start()
        return paramiko.OPEN_SUCCEEDED

    def _run(self, command: str, channel: paramiko.Channel) -> None:
        if (answer := self.says(command)) is not None:
            channel.sendall(answer)
            channel.send_exit_status(0 if answer else 1)
            channel.close()
            return
        pipe = subprocess.PIPE
        process = subprocess.Popen(
            ["sh", "-c", command], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True
        )
        self._processes.append(process)
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None

        def feed() -> None:
            _pump(channel.recv, process.stdin.write)  # type: ignore[union-attr]
            process.stdin.close()  # type: ignore[union-attr]

        def unless_muted(data: bytes) -> None:
            if not self.muted.is_set():
                channel.sendall(data)

        threading.Thread(target=feed, daemon=True).start()
        errors = threading.Thread(target=_pump, args=(process.stderr.read, channel.sendall_stderr), daemon=True)
        errors.start()
        _pump(process.stdout.read, unless_muted)
        errors.join()
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            channel.send_exit_status(process.wait() & 0xFF)
            channel.close()


def _pump(read: Callable[[int], bytes], write: Callable[[bytes], object]) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := read(_CHUNK):
            write(data)
