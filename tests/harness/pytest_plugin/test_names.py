# SPDX-License-Identifier: MIT
"""The names of fixtures and markers."""

from __future__ import annotations

import pytest

# Loaded here once, and not in every session below: some of it cannot be loaded twice.
import harness.testing  # noqa: F401
from harness.pytest_plugin.plugin import MARKERS

pytest_plugins = ["pytester"]


def test_a_project_may_have_fixtures_and_markers_of_its_own_under_the_short_names(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        others="""
        import pytest

        @pytest.fixture
        def lane():
            return "of the highway"

        def pytest_configure(config):
            config.addinivalue_line("markers", "arch(name): of a bridge")
        """,
        test_it="""
        import pytest

        @pytest.mark.arch("stone")
        @pytest.mark.hil_arch("x86_64")
        def test_both(lane, hil_lane):
            assert (lane, str(hil_lane)) == ("of the highway", "debian-12/x86_64/jit")

        def test_theirs(lane):
            pass
        """,
    )
    pytester.makeini("[pytest]\nhil_lanes = debian-12/*/jit\nhil_short_names = false")
    pytester.syspathinsert()
    result = pytester.runpytest_inprocess("-p", "others", "--strict-markers")
    result.assert_outcomes(passed=2, skipped=1)
    pytester.runpytest_inprocess("test_it.py").stdout.fnmatch_lines(["*fixture 'lane' not found*"])


def test_the_markers_are_listed(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--markers")
    names = [f"{prefix}{text.split(':')[0]}" for prefix in ("hil_", "") for text in MARKERS]
    result.stdout.fnmatch_lines([f"@pytest.mark.{name.replace('[', '[[]')}*" for name in names])


def test_the_fixtures_are_listed_with_what_they_are(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess("--fixtures")
    listed = [line.split()[0] for line in result.outlines if "/pytest_plugin/" in line]
    short = ["debugger", "guest", "lane", "machine", "model"]
    assert sorted(listed) == sorted([*short, *(f"hil_{name}" for name in short)])
    assert "no docstring available" not in result.stdout.str().split("harness.pytest_plugin")[-1]
