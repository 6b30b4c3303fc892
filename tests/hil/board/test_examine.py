# SPDX-License-Identifier: MIT
"""What a board says of itself."""

from __future__ import annotations

import pytest

from hil.board.examine import count_cpus


@pytest.mark.parametrize(("ranges", "cpus"), [("0", 1), ("0-3", 4), ("0-1,4-7,9", 7)])
def test_cpus_are_counted(ranges: str, cpus: int) -> None:
    assert count_cpus(ranges) == cpus
