# SPDX-License-Identifier: MIT
"""What the bench waits for at a machine, and how long.

Generous: a deadline only ends what hangs, because every wait ends as soon as its event happens or cannot happen.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wait:
    """An event to wait for: its name in messages, and the deadline in nominal seconds."""

    name: str
    seconds: float


QMP_ANSWER = Wait("QEMU to answer on QMP", 30)
BOOT = Wait("the guest to boot", 120)
RESTORE = Wait("QEMU to load the saved machine", 30)
LOGIN = Wait("the login at the guest's SSH server", 30)
QUIT = Wait("QEMU to quit", 3)
TERMINATE = Wait("QEMU to end on SIGTERM", 3)
