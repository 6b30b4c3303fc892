# SPDX-License-Identifier: MIT
"""A shell in the guest of a running trial, without the bench."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import paramiko
import psutil

from hil.machine import speed
from tests.chaos.child import NotSeen
from tests.chaos.trial import Trial

LOGIN = 60.0
"""Nominal seconds for the login at a guest that has booted."""


def do(trial: Trial, command: str) -> None:
    """Start a shell command in the guest without waiting for it; NotSeen when the login fails."""
    with _opened(trial) as channel:
        trial.strike()
        channel.exec_command(command)
        # Wait a moment: a channel that is closed before the server has started the command starts nothing.
        with contextlib.suppress(Exception):
            channel.settimeout(2)
            channel.recv(1)


@contextlib.contextmanager
def _opened(trial: Trial) -> Iterator[paramiko.Channel]:
    """Yield a channel on a connection of its own; tries again until the deadline."""
    key = paramiko.Ed25519Key.from_private_key_file(str(trial.home.state / "hil" / "keys" / "client_ed25519"))
    deadline = time.monotonic() + LOGIN * speed.scale()
    while True:
        with contextlib.ExitStack() as stack:
            try:
                transport = paramiko.Transport(("127.0.0.1", _port(trial)))
                stack.callback(transport.close)
                transport.banner_timeout = LOGIN * speed.scale()
                transport.connect(username="root", pkey=key)
                channel = transport.open_session(timeout=LOGIN * speed.scale())
            except (OSError, EOFError, psutil.Error, paramiko.SSHException) as error:
                if time.monotonic() > deadline:
                    raise NotSeen(f"cannot log in to the guest: {error}") from error
            else:
                yield channel
                return
        time.sleep(0.2)


def _port(trial: Trial) -> int:
    """The port at which QEMU listens for the guest's SSH."""
    for machine in trial.machines():
        for connection in machine.net_connections("tcp4"):
            if connection.status == psutil.CONN_LISTEN:
                return int(connection.laddr.port)
    raise NotSeen("QEMU does not listen")
