# SPDX-License-Identifier: MIT
"""The login at a guest whose SSH server may not listen yet."""

from __future__ import annotations

import logging
import time
from typing import Protocol

import paramiko

from hil.errors import MachineLost
from hil.machine import speed
from hil.machine.liveness import Liveness
from hil.machine.ssh import Connection, Credentials, connect
from hil.machine.waits import LOGIN, Wait

_log = logging.getLogger(__name__)


class Explain(Protocol):
    """Makes the error for what went wrong, by whether the machine is still alive."""

    def __call__(self, what: str, *, timeout: Wait | None = None) -> MachineLost: ...


def log_in(
    address: tuple[str, int], credentials: Credentials, liveness: Liveness, explain: Explain, *, patience: float
) -> Connection:
    """Log in within LOGIN, with a new attempt after each that may have come too early; raises MachineLost when the time
    passes or the machine is lost. `patience` is the connection's."""
    deadline = time.monotonic() + LOGIN.seconds * speed.scale()
    while True:
        try:
            timeout = max(1.0, deadline - time.monotonic())
            return connect(address, credentials, timeout=timeout, patience=patience, explain=explain)
        except (OSError, EOFError, paramiko.SSHException) as error:
            _log.debug("login at port %d failed so far: %s", address[1], str(error) or type(error).__name__)
            # QEMU itself accepts the connection and drops it when nothing in the guest listens.
            if liveness.wait(lambda: time.monotonic() > deadline, 0.05) or liveness.loss:
                raise explain(f"waiting for {LOGIN.name}: {error}", timeout=LOGIN) from error
