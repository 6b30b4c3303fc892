# SPDX-License-Identifier: MIT
"""Checks the environment variables that control machines, before anything is started."""

from __future__ import annotations

import os


def check() -> None:
    """Raise UserError when one of them has an invalid value."""
    if os.environ.get("HIL_ACCELERATOR") or os.environ.get("HIL_TIME_SCALE"):
        from hil.machine import accelerator, speed  # here, because it imports the whole library of machines

        accelerator.wanted()
        speed.override()
