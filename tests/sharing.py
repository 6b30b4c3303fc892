# SPDX-License-Identifier: MIT
"""Tests that workers of pytest-xdist share, by `--dist loadfile --no-loadscope-reorder`: the order, and what is told.

The tests of a file go to one worker, since fixtures of a module are made once a worker, and lanes are held against each
other within one. Files are begun in the order of their first tests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest

from hil.heartbeat import PERIOD, Heartbeat


def machines_first(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """The tests, those that boot machines first: they take the longest, and what takes a moment evens out when the
    workers end."""
    return sorted(items, key=lambda item: item.get_closest_marker("guest") is None)


class Running:
    """Tells which tests the workers are at, while none of them ends; a plugin of their controller."""

    def __init__(self, tell: Callable[[str], None], *, period: float = PERIOD) -> None:
        self._began: dict[str, float] = {}
        self._heartbeat = Heartbeat(tell, self._say, period=period)

    def pytest_sessionstart(self) -> None:
        self._heartbeat.__enter__()
        self._heartbeat("")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._began[nodeid] = time.monotonic()

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._began.pop(nodeid, None)
        self._heartbeat("")

    def pytest_handlecrashitem(self, crashitem: str) -> None:
        """Hears of the test that a worker ended in, which ends with nothing else."""
        self._began.pop(crashitem, None)

    def pytest_sessionfinish(self) -> None:
        self._heartbeat.__exit__(None, None, None)

    def _say(self, _: str, seconds: float) -> str:
        now = time.monotonic()
        tests = [f"{nodeid}: {now - began:.0f} s" for nodeid, began in self._began.copy().items()]
        return f"still running {', '.join(tests)}" if tests else f"still collecting the tests: {seconds:.0f} s"
