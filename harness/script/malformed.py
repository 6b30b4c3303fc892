# SPDX-License-Identifier: MIT
"""The error for scripts and expectations that make no sense."""

from __future__ import annotations

from hil.errors import UserError


class Malformed(UserError, ValueError):
    """Raised for a script or an expectation when it is built, before any kernel is asked."""
