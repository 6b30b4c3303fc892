# SPDX-License-Identifier: MIT
"""What a marker says of a lane."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.lane import Engine, Lane
from harness.pytest_plugin.markers import NEEDS, exclusion
from harness.pytest_plugin.plugin import MARKERS
from harness.script.needs import Need

LACKS = "which this lane does not have"


def said(lane: str, *marks: pytest.MarkDecorator, short: bool = True) -> str:
    kernel, arch, engine = lane.split("/")
    item: Any = SimpleNamespace(nodeid="test_it.py::test_one", iter_markers=lambda: iter([one.mark for one in marks]))
    return exclusion(item, Lane(kernel, arch, Engine(engine)), short=short)


def test_names_with_the_prefix_count_always_and_others_where_they_may() -> None:
    assert said("debian-12/arm64/jit", pytest.mark.hil_arch("x86_64"), short=False) == "for x86_64 only"
    assert said("debian-12/arm64/jit", pytest.mark.hil_arch("x86_64")) == "for x86_64 only"
    assert said("debian-12/arm64/jit", pytest.mark.arch("x86_64"), short=False) == ""


@pytest.mark.parametrize(
    ("mark", "allowed", "excluded", "reason"),
    [
        (pytest.mark.kernel_from("6.6"), "debian-13", "debian-12", "for kernels from 6.6 on; this one is 6.1"),
        (pytest.mark.kernel_from("6.1"), "debian-12", "debian-11", "for kernels from 6.1 on; this one is 5.10"),
        (pytest.mark.kernel_until("6.1"), "debian-12", "debian-13", "for kernels up to 6.1; this one is 6.12"),
        (pytest.mark.kernel_until("5.9"), "linux-4.1", "debian-11", "for kernels up to 5.9; this one is 5.10"),
    ],
)
def test_releases_are_compared_as_numbers(mark: pytest.MarkDecorator, allowed: str, excluded: str, reason: str) -> None:
    assert said(f"{allowed}/arm64/jit", mark) == ""
    assert said(f"{excluded}/arm64/jit", mark) == reason


@pytest.mark.parametrize(
    ("mark", "allowed", "excluded", "reason"),
    [
        (pytest.mark.arch("arm64"), "debian-12/arm64/jit", "debian-12/x86_64/jit", "for arm64 only"),
        (pytest.mark.needs("jit"), "debian-12/arm64/jit", "debian-12/arm64/interp", f"needs {Need.JIT}, {LACKS}"),
        (
            pytest.mark.needs("interpreter"),
            "debian-12/arm64/interp",
            "debian-12/arm64/jit",
            f"needs {Need.INTERPRETER}, {LACKS}",
        ),
        (pytest.mark.needs("kprobes"), "linux-4.1/x86_64/jit", "linux-4.1/arm64/jit", f"needs kprobes, {LACKS}"),
    ],
)
def test_lanes_are_told_apart(mark: pytest.MarkDecorator, allowed: str, excluded: str, reason: str) -> None:
    assert said(allowed, mark) == ""
    assert said(excluded, mark) == reason


def test_everything_that_is_missing_is_told() -> None:
    reason = said("linux-4.1/arm64/interp", pytest.mark.needs("jit", "kprobes"))
    assert reason == f"needs kprobes and {Need.JIT}, {LACKS}"


def test_machines_of_the_plugin_have_two_cpus() -> None:
    assert said("debian-12/arm64/jit", pytest.mark.needs("two-cpus")) == ""


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (pytest.mark.kernel_from(6.1), "kernel_from(6.1): write one release as MAJOR.MINOR in quotes, as in '5.10'"),
        (pytest.mark.kernel_until("6.1.3"), "kernel_until('6.1.3'): write one release as MAJOR.MINOR in quotes"),
        (pytest.mark.kernel_from(), "kernel_from(): write one release"),
        (pytest.mark.arch("arm64", "sparc"), "arch('arm64', 'sparc'): choose from x86_64, arm64"),
        (pytest.mark.arch(), "arch(): choose from x86_64, arm64"),
        (pytest.mark.needs("kprobe"), f"needs('kprobe'): choose from {', '.join(NEEDS)}"),
    ],
)
def test_a_marker_that_makes_no_sense_is_a_usage_error(mark: pytest.MarkDecorator, message: str) -> None:
    with pytest.raises(pytest.UsageError) as caught:
        said("debian-12/arm64/jit", mark)
    assert str(caught.value).startswith(f"test_it.py::test_one: {message}")


def test_the_list_of_markers_names_needs_that_there_are() -> None:
    (needs,) = [text for text in MARKERS if text.startswith("needs")]
    *names, more = needs.split(": ")[-1].split(", ")
    assert set(names) < set(NEEDS) and more == "..."
