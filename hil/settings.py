# SPDX-License-Identifier: MIT
"""Variables of the environment that steer machines, looked at before anything is started."""

from __future__ import annotations

import os


def check() -> None:
    """UserError when one of them says nothing that can be meant."""
    if os.environ.get("HIL_ACCELERATOR") or os.environ.get("HIL_TIME_SCALE"):
        from hil.machine import accelerator, speed  # here, as it brings the whole library of machines with it

        accelerator.wanted()
        speed.override()
