# SPDX-License-Identifier: MIT
"""Python's collector of garbage, which looks for cycles less often than it would.

A batch is made of thousands of small objects that no cycle holds, and live until its answer is read. At Python's own
threshold, 700 objects more than were freed (the `gc` module's documentation), nearly half of the bench's time for a
generated case was spent in looking at them.
"""

from __future__ import annotations

import gc

_MORE = 20_000
"""The objects, made and not freed, after which the youngest are looked at: some megabytes."""


def collect_rarely() -> None:
    """Sets the threshold for this process; harmless when repeated."""
    gc.set_threshold(_MORE, *gc.get_threshold()[1:])
