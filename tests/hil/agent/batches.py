# SPDX-License-Identifier: MIT
"""Batches and checks of their processes, for tests about endings."""

from __future__ import annotations

import struct
from pathlib import Path

from hil.agent.builder import BatchBuilder
from hil.agent.steps import (
    Batch,
    Result,
    Syscall,
)
from tests.hil.agent.calls import NR

GETPID = Batch((Syscall(NR["getpid"]),))


def sleeping(b: BatchBuilder, seconds: int = 1000) -> Result:
    return b.syscall(NR["nanosleep"], b.alloc(struct.pack("<QQ", seconds, 0)), 0)


def alive(pid: int) -> bool:
    """Whether there is such a process that is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
