# SPDX-License-Identifier: MIT
"""Processes that are not our children."""

from __future__ import annotations

import time
from pathlib import Path


def gone(process: int) -> bool:
    """Whether it ended within a minute; it may be a zombie that nobody has reaped."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False
