"""The options of the test run."""

from __future__ import annotations

import pytest

DEFAULT_KERNELS = "debian-12,linux-4.1"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--kernels",
        default=DEFAULT_KERNELS,
        help="kernels that carry out the corpora: names with wildcards, separated by commas; default: %(default)s",
    )
