# SPDX-License-Identifier: MIT
"""Where the background machine of a lane lives: one folder with its socket, its lock, its process id and its logs."""

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
    def life(self) -> Path:
        """The lock that the process holds as long as it lives."""
        return self.folder / "life.lock"

    @property
    def birth(self) -> Path:
        """The lock that whoever starts the process holds until it answers."""
        return self.folder / "birth.lock"

    @property
    def pid(self) -> Path:
        """The id of the process that holds `life`."""
        return self.folder / "pid"

    @property
    def log(self) -> Path:
        """What the process complains about."""
        return self.folder / "server.log"

    @property
    def endpoint(self) -> Path:
        """The unix socket of the process."""
        return self.folder / "socket"

    def make(self) -> None:
        """Make the folder, for nobody else."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def connect(self) -> socket.socket:
        """A connection to the process; FileNotFoundError or ConnectionRefusedError when nobody listens."""
        connection = socket.socket(socket.AF_UNIX)
        try:
            with self._address() as address:
                connection.connect(address)
        except BaseException:
            connection.close()
            raise
        return connection

    def listen(self) -> socket.socket:
        """The socket that others connect to; only whoever holds `life` may ask for it."""
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
        """The socket's path by way of the folder's descriptor: a socket's path has at most 107 bytes, a home may have
        more (unix(7))."""
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}/{self.endpoint.name}"
        finally:
            os.close(descriptor)


def root() -> Path:
    return directories.state() / "plugin"


def homes() -> Iterator[Home]:
    """Every home there ever was."""
    for folder in sorted(root().glob("*/*/*")):
        if folder.name in [*Engine]:
            yield Home(Lane(folder.parent.parent.name, folder.parent.name, Engine(folder.name)))


def home(text: str) -> Home:
    """The home of the lane that `text` names in full; whether there is such a lane is seen when it is started."""
    parts = text.split("/")
    if len(parts) != 3 or not all(map(_NAME.fullmatch, parts)) or parts[2] not in [*Engine]:
        raise UserError(f"{text!r} names no lane", remedy="write KERNEL/ARCH/ENGINE, as in debian-12/arm64/jit")
    return Home(Lane(parts[0], parts[1], Engine(parts[2])))


def send(connection: socket.socket, message: bytes) -> None:
    """One message, ended by the end of the stream."""
    connection.sendall(message)
    connection.shutdown(socket.SHUT_WR)


def receive(connection: socket.socket, most: int) -> bytes:
    """The message up to the end of the stream, at most `most` bytes of it."""
    with closing(connection.makefile("rb")) as stream:
        return stream.read(most)
