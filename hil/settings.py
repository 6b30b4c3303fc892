# SPDX-License-Identifier: MIT
"""The environment variables of the bench, and a check of those that control machines before anything is started."""

from __future__ import annotations

import os

from hil import config

VARIABLES = (
    *("HIL_ACCELERATOR", "HIL_DEBIAN_MIRROR", "HIL_HISTORY", "HIL_TIME_SCALE"),
    *map(config.variable, config.SHARED),
)
"""Every variable of the bench; README.md says what they mean."""


def check() -> None:
    """Raise UserError when one of them has an invalid value."""
    if os.environ.get("HIL_ACCELERATOR") or os.environ.get("HIL_TIME_SCALE"):
        from hil.machine import accelerator, speed  # here, because it imports the whole library of machines

        accelerator.wanted()
        speed.override()
