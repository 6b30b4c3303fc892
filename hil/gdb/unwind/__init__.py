# SPDX-License-Identifier: MIT
"""Backtraces of a stopped kernel without debug information: one file per method, and the table that chooses one."""

from hil.gdb.unwind.choice import unwinder
from hil.gdb.unwind.stopped import Stopped, Unwinder

__all__ = ["Stopped", "Unwinder", "unwinder"]
