# SPDX-License-Identifier: MIT
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hil.board.this_host import ThisHost


@pytest.fixture
def host(tmp_path: Path) -> Iterator[ThisHost]:
    served = ThisHost(tmp_path / "ssh")
    yield served
    served.close()
