# SPDX-License-Identifier: MIT
"""An SSH server in this process, for commands that are Python functions."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import paramiko

Command = Callable[[str, paramiko.Channel], None]


class Server(paramiko.ServerInterface):
    """A server of one connection, or more; it calls `command` with the command line and the channel in a thread of its
    own."""

    def __init__(
        self, host_key: paramiko.PKey, client_key: paramiko.PKey, command: Command, connections: int = 1
    ) -> None:
        self._client_key = client_key
        self._command = command
        self._connections = connections
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self.host_key = host_key
        self.more_keys: list[paramiko.PKey] = []
        """Host keys of other types, for connections to come."""
        self.may_start = threading.Event()
        """While it is cleared, no request to start a command is answered."""
        self.may_start.set()
        self.transports: list[paramiko.Transport] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which ends the wait for the next connection
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """End every connection there is."""
        for transport in self.transports:
            transport.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(self._connections):
                connection, _ = self._listener.accept()
                transport = paramiko.Transport(connection)
                self.transports.append(transport)
                for key in (self.host_key, *self.more_keys):
                    transport.add_server_key(key)
                # The client may hang up, as some tests want it to.
                with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                    transport.start_server(server=self)

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
