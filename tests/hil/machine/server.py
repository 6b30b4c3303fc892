# SPDX-License-Identifier: MIT
"""An SSH server in this process, for commands that are Python functions."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import paramiko

Command = Callable[[str, paramiko.Channel], None]


class Server(paramiko.ServerInterface):
    """A server of one connection; it calls `command` with the command line and the channel in a thread of its own."""

    def __init__(self, host_key: paramiko.PKey, client_key: paramiko.PKey, command: Command) -> None:
        self._client_key = client_key
        self._command = command
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.host_key = host_key
        self.may_start = threading.Event()
        """While it is cleared, no request to start a command is answered."""
        self.may_start.set()
        self.transport: paramiko.Transport | None = None
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        if self.transport is not None:
            self.transport.close()

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
            self.transport = paramiko.Transport(connection)
            self.transport.add_server_key(self.host_key)
            self.transport.start_server(server=self)
        except (OSError, EOFError, paramiko.SSHException):
            pass  # The client hung up, as some tests want it to.

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == "root" and key == self._client_key
        return paramiko.AUTH_SUCCESSFUL if good else paramiko.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.may_start.wait(60)
        threading.Thread(target=self._command, args=(command.decode(), channel), daemon=True).start()
        return True
