# SPDX-License-Identifier: MIT
"""What keeps the test run apart from the user's own, and what shares it among workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Workers of pytest-xdist tell nothing themselves. The last, since pytest makes its reporter here, too."""
    if getattr(config.option, "dist", "no") != "no" and config.pluginmanager.has_plugin("terminalreporter"):
        from tests.sharing import Running

        writer = config.get_terminal_writer()

        def tell(line: str) -> None:
            writer.line(f"\n{line}" if writer.width_of_current_line else line)

        config.pluginmanager.register(Running(tell), "running")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        from tests.sharing import machines_first

        items[:] = machines_first(items)


@pytest.fixture(scope="session", autouse=True)
def _own_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs made by tests are no part of the user's history; commands that tests start inherit this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIL_HISTORY", str(tmp_path_factory.mktemp("history") / "history.sqlite"))
        yield
