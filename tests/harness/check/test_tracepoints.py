# SPDX-License-Identifier: MIT
"""Tracepoints with names near those that a kernel does not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.check import tracepoints
from tests.harness.pytest_plugin.test_places import Kernel


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("sched/sched_swich", ("sched/sched_switch",)),
        ("shed/sched_switch", ("sched/sched_switch",)),
        ("*/sched_swich", ("sched_switch",)),
        ("nothing/like_it", ()),
        ("*/nothing", ()),
    ],
)
def test_the_nearest_are_found_with_a_group_or_without(name: str, near: tuple[str, ...], tmp_path: Path) -> None:
    assert tracepoints.find(Kernel(tmp_path), [name])[name].near[:1] == near  # type: ignore[arg-type]


def test_a_kernel_is_not_asked_for_nothing(tmp_path: Path) -> None:
    assert tracepoints.find(Kernel(tmp_path, gone=True), ()) == {}  # type: ignore[arg-type]
