# SPDX-License-Identifier: MIT
"""The files of a lane's background machine: one folder with its socket, its locks, its process id and its logs."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.lane import Engine, Lane
from hil import directories
from hil.errors import UserError

_NAME = re.compile(r"[a-z0-9][a-z0-9._+-]*(@[a-z0-9.+~-]*)?")


@dataclass(frozen=True)
class Home:
    """The folder of one lane's machine."""

    lane: Lane

    @property
    def folder(self) -> Path:
        return root() / self.lane.kernel / self.lane.arch / str(self.lane.engine)

    @property
    def process_lock(self) -> Path:
        """The lock that the process holds as long as it runs."""
        return self.folder / "life.lock"

    @property
    def start_lock(self) -> Path:
        """The lock that is held by whoever starts the process, until it answers."""
        return self.folder / "birth.lock"

    @property
    def pid(self) -> Path:
        """The file with the id of the process that holds `process_lock`."""
        return self.folder / "pid"

    @property
    def log(self) -> Path:
        """The log of the process."""
        return self.folder / "server.log"

    @property
    def endpoint(self) -> Path:
        """The unix socket of the process."""
        return self.folder / "socket"

    def make(self) -> None:
        """Makes the folder, accessible to this user only."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def connect(self) -> socket.socket:
        """Returns a connection to the process; raises FileNotFoundError or ConnectionRefusedError when nobody
        listens."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            with self._address() as address:
                connection.connect(address)
        except BaseException:
            connection.close()
            raise
        return connection

    def listen(self) -> socket.socket:
        """Returns the socket that others connect to; only the holder of `process_lock` may ask for it."""
        self.endpoint.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        try:
            with self._address() as address:
                listener.bind(address)
            listener.listen(64)
        except BaseException:
            listener.close()
            raise
        return listener

    @contextmanager
    def _address(self) -> Iterator[str]:
        """Yields the socket's path by way of the folder's descriptor: a socket's path has at most 107 bytes, a home may
        have more (unix(7))."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}/{self.endpoint.name}"
        finally:
            os.close(descriptor)


def root() -> Path:
    return directories.state() / "plugin"


def homes() -> Iterator[Home]:
    """Yields every home that ever existed."""
    for folder in sorted(root().glob("*/*/*")):
        if folder.name in [*Engine]:
            yield Home(Lane(folder.parent.parent.name, folder.parent.name, Engine(folder.name)))


def home(text: str) -> Home:
    """Returns the home of the lane that `text` names in full; whether there is such a lane is found out when it is
    started."""
    parts = text.split("/")
    if len(parts) != 3 or not all(map(_NAME.fullmatch, parts)) or parts[2] not in [*Engine]:
        raise UserError(f"{text!r} is no name of a lane", remedy="write KERNEL/ARCH/ENGINE, as in debian-12/arm64/jit")
    return Home(Lane(parts[0], parts[1], Engine(parts[2])))


def send(connection: socket.socket, message: bytes) -> None:
    """Sends one message, ended by the end of the stream."""
    connection.sendall(message)
    connection.shutdown(socket.SHUT_WR)


def receive(connection: socket.socket, most: int) -> bytes:
    """Receives the message up to the end of the stream, at most `most` bytes of it."""
    with closing(connection.makefile("rb")) as stream:
        return stream.read(most)
