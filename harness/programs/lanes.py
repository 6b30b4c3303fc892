# SPDX-License-Identifier: MIT
"""Lanes for the model, without a kernel."""

from __future__ import annotations

from harness.model.environment import Environment
from harness.model.eras import era


def environment(era_name: str, arch: str, engine: str = "interp") -> Environment:
    """Returns the lane of an era for the model, without a kernel; raises UserError for an unknown era."""
    return Environment(era_name, arch, era(era_name, arch).latest, engine)
