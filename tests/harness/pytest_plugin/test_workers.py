# SPDX-License-Identifier: MIT
"""What workers of pytest-xdist judged is told by their controller."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.judged import Judged
from harness.pytest_plugin import plugin
from harness.pytest_plugin.workers import hand_over, told
from tests.harness.pytest_plugin.test_plugin import CHECKS, OTHERWISE, WITHOUT_A_MACHINE

pytest_plugins = ["pytester"]

AS_A_WORKER = """
import json
from pathlib import Path


def pytest_configure(config):
    config.workeroutput = {}


def pytest_unconfigure(config):
    Path("said").write_text(json.dumps(config.workeroutput))
"""
CONTROLLER = """
import json
from pathlib import Path
from types import SimpleNamespace

import pytest


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    (down,) = (one.pytest_testnodedown for one in session.config.pluginmanager.get_plugins()
               if getattr(one, "__name__", "") == "harness.pytest_plugin.plugin")
    said = json.loads(Path("said").read_text())
    for number, output in enumerate([said, said, {"of": "others"}, None]):
        node = SimpleNamespace(config=session.config, gateway=SimpleNamespace(id=f"gw{number}"))
        if output is not None:
            node.workeroutput = output
        down(node)
"""


def test_the_controller_sums_what_its_workers_say_in_plain_data(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(WITHOUT_A_MACHINE + OTHERWISE + AS_A_WORKER)
    pytester.makepyfile(CHECKS)
    pytester.runpytest_inprocess("--hil-lanes", "debian-12/arm64/jit").assert_outcomes(passed=2, warnings=2)
    (pytester.path / "conftest.py").write_text(CONTROLLER)
    pytester.makepyfile("def test_plain(): pass")
    said = pytester.runpytest_inprocess().outlines
    assert [line for line in said if line.startswith("hil: ")] == [
        "hil: 8 operations: judged by model and expectation 4, by one of them 2, by other lanes alone 0, by none 2",
        "hil: what gw3 judged before the worker died is not counted",
        "hil: warning: debian-12/arm64: kernel/perf_event_paranoid is 1, where Debian's 6.1 has 3",
    ]


def session(**more: Any) -> Any:
    return SimpleNamespace(stash=pytest.Stash(), **more)


def test_a_session_without_workers_hands_nothing_over() -> None:
    alone = session()
    told(alone).add(Judged(both=1))
    hand_over(alone)
    assert not hasattr(alone, "workeroutput")
    plain = session(workeroutput={})
    hand_over(plain)
    assert plain.workeroutput == {}


def test_workers_that_die_without_having_judged_anything_are_not_told() -> None:
    controller = session()
    plugin.pytest_testnodedown(SimpleNamespace(config=controller, gateway=SimpleNamespace(id="gw0")))
    assert list(told(controller).lines) == []
