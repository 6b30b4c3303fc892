# SPDX-License-Identifier: MIT
"""What keeps the test run apart from the user's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _own_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs made by tests are no part of the user's history; commands that tests start inherit this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIL_HISTORY", str(tmp_path_factory.mktemp("history") / "history.sqlite"))
        yield
