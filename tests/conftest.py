# SPDX-License-Identifier: MIT
"""What keeps the test run apart from the user's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Keeps tests that boot machines in one worker of pytest-xdist, one after another: together they would be too much
    for two CPUs without KVM."""
    for item in items:
        if item.get_closest_marker("guest"):
            item.add_marker(pytest.mark.xdist_group("guest"))


@pytest.fixture(scope="session", autouse=True)
def _own_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs made by tests are no part of the user's history; commands that tests start inherit this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIL_HISTORY", str(tmp_path_factory.mktemp("history") / "history.sqlite"))
        yield
