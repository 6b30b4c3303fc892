# SPDX-License-Identifier: MIT
"""A shell in the guest of a running trial, from outside: the bench knows nothing of it."""

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
"""Nominal seconds for a guest that has booted to let us in."""


def do(trial: Trial, command: str) -> None:
    """Start a shell command in the guest, and do not wait for it. NotSeen when nobody lets us in."""
    with _opened(trial) as channel:
        trial.strike()
        channel.exec_command(command)
        # The command is the guest's now; but a channel that is closed before the server has started it starts nothing.
        with contextlib.suppress(Exception):
            channel.settimeout(2)
            channel.recv(1)


@contextlib.contextmanager
def _opened(trial: Trial) -> Iterator[paramiko.Channel]:
    """A channel on a connection of its own; asks again as long as there is a guest that may answer."""
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
                    raise NotSeen(f"no way into the guest: {error}") from error
            else:
                yield channel
                return
        time.sleep(0.2)


def _port(trial: Trial) -> int:
    """Where QEMU listens for the guest's SSH."""
    for machine in trial.machines():
        for connection in machine.net_connections("tcp4"):
            if connection.status == psutil.CONN_LISTEN:
                return int(connection.laddr.port)
    raise NotSeen("QEMU listens nowhere")
