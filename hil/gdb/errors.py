# SPDX-License-Identifier: MIT
"""What can go wrong with a debugging session. Each error holds the last lines gdb said, in `details`."""

from __future__ import annotations

from hil.errors import BenchError, MachineLost, UserError


class GdbGone(MachineLost):
    """gdb ended under us; a guest it had stopped stays stopped."""


class TargetGone(MachineLost):
    """The machine ended while it was debugged."""


class GdbRefused(BenchError):
    """gdb answered a command with an error."""


class GdbSilent(BenchError):
    """gdb is there, but what we waited for did not happen in time."""


class UnknownSymbol(UserError):
    """The kernel has no symbol of this name."""
