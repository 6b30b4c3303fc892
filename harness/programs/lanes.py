# SPDX-License-Identifier: MIT
"""Lanes as the model knows them, where no kernel is at hand."""

from __future__ import annotations

from harness.model.environment import Environment
from harness.model.eras import era


def environment(era_name: str, arch: str, engine: str = "interp") -> Environment:
    """The lane of an era as the model knows it, without a kernel at hand; UserError for an unknown era."""
    return Environment(era_name, arch, era(era_name, arch).latest, engine)
