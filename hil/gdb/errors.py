# SPDX-License-Identifier: MIT
"""Errors of a debugging session. Each has the last lines that gdb printed in `details`."""

from __future__ import annotations

from hil.errors import BenchError, MachineLost, UserError


class GdbGone(MachineLost):
    """gdb ended unexpectedly; a guest it had stopped stays stopped."""


class TargetGone(MachineLost):
    """The machine ended while it was debugged."""


class GdbRefused(BenchError):
    """gdb answered a command with an error."""


class GdbSilent(BenchError):
    """gdb is running, but what was waited for did not happen in time."""


class UnknownSymbol(UserError):
    """The kernel has no symbol of this name."""
