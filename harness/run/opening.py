# SPDX-License-Identifier: MIT
"""How a worker comes to the session that its share runs in."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from harness.session import Bootable, Listener, OnBoard, Session, board_session, lane_session
from hil.target import Target


class Sessions(Protocol):
    """Opens a session on a machine that is booted into `folder`, or on a board."""

    def __call__(
        self, bootable: Bootable | OnBoard, folder: Path, listener: Listener, *, cold: bool
    ) -> AbstractContextManager[Session[Target]]: ...


def open_session(
    bootable: Bootable | OnBoard, folder: Path, listener: Listener, *, cold: bool
) -> AbstractContextManager[Session[Target]]:
    """Opens a session for one use: a board, or a machine that is booted or restored."""
    if isinstance(bootable, OnBoard):
        return board_session(bootable, folder, listener=listener)
    return lane_session(bootable, folder, cold=cold, listener=listener)
