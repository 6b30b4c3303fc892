# SPDX-License-Identifier: MIT
"""An architecture whose machines are always booted has nothing that could be restored, and that is no failure."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from harness.benchmarks import commands
from harness.benchmarks.restoring import Restores
from hil.arch import architecture

REASON = architecture("riscv64").always_booted


def test_only_those_are_restored_that_can_be_and_the_others_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def restored(bootable: Any, _: Any, count: int, __: Any) -> Restores:
        asked.append(bootable.name)
        return Restores(count, (), (0.25,) * count)

    monkeypatch.setattr(commands.store, "get", lambda *_: None)
    monkeypatch.setattr(commands, "prepare", lambda _, arch, *__: SimpleNamespace(name=arch))
    monkeypatch.setattr(commands, "restored_in_a_row", restored)
    result = CliRunner().invoke(commands.bench, ["--kernel", "debian-sid", "--restores", "2"], catch_exceptions=False)
    assert asked == ["x86_64", "arm64"]
    assert "debian-sid/arm64: 2 of 2 restored, in 0.25 s at the median" in result.output
    assert f"riscv64: always booted, never restored: {REASON}" in result.output
