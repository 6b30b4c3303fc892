"""The options of the test run, and what keeps it apart from the user's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

DEFAULT_KERNELS = "debian-12,linux-4.1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kernels",
        default=DEFAULT_KERNELS,
        help="kernels that carry out the corpora: names with wildcards, separated by commas; default: %(default)s",
    )


@pytest.fixture(scope="session", autouse=True)
def _own_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Runs made by tests are no part of the user's history; commands that tests start inherit this."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HIL_HISTORY", str(tmp_path_factory.mktemp("history") / "history.sqlite"))
        yield
