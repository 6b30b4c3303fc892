# SPDX-License-Identifier: MIT
"""`hil bench` measures the parts that are asked for, and tells each ratio when it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.benchmarks import commands
from harness.benchmarks.commands import Part
from harness.benchmarks.ratio import Ratio
from hil.errors import BenchError


def _part(name: str, begun: list[str]) -> Any:
    def measured(console: object, asked: commands.Asked, folder: Path) -> Iterator[Ratio]:
        begun.append(name)
        assert folder.is_dir()
        yield Ratio(f"{name}: one / other", "s", (6.0,) * asked.rounds, (3.0,) * asked.rounds, "at most 3")

    return measured


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(commands.store, "get", lambda *_: None)
    monkeypatch.setattr(commands, "_PARTS", {part: _part(part, found) for part in Part})
    return found


def test_without_a_part_all_are_measured_in_their_order(begun: list[str]) -> None:
    result = CliRunner().invoke(commands.bench, ["--rounds", "1"], catch_exceptions=False)
    assert result.exit_code == 0
    assert begun == list(Part) == list(commands._PARTS)


def test_only_those_that_are_named_are_measured(begun: list[str]) -> None:
    result = CliRunner().invoke(commands.bench, ["--part", "memory", "--part", "model"], catch_exceptions=False)
    assert begun == ["model", "memory"]
    assert "memory: one / other: 2.00" in result.output


def test_what_was_measured_is_told_when_a_later_part_fails(begun: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(console: object, asked: commands.Asked, folder: Path) -> Iterator[Ratio]:
        raise BenchError("no such machine")

    monkeypatch.setitem(commands._PARTS, Part.LOCKSTEP, failing)  # type: ignore[misc]
    result = CliRunner().invoke(commands.bench, [])
    assert isinstance(result.exception, BenchError)
    assert "memory: one / other: 2.00" in result.output
