# SPDX-License-Identifier: MIT
"""The model's ratios, on programs as they are generated today."""

from __future__ import annotations

import pytest

from harness.benchmarks import model


def test_whatever_is_generated_can_be_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "CALLS", 100)
    told: list[str] = []
    ratios = model.model_ratios(1, told.append)
    assert [len(ratio.pairs) for ratio in ratios] == [1, 1, 1]
    assert all(ratio.median > 0 for ratio in ratios)
    (said,) = told
    assert model.COUNT // 4 < int(said.split()[3]) < model.COUNT, said
