# SPDX-License-Identifier: MIT
"""The background process with a machine that boots nothing: what it says, and what becomes of the machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.bpf_conformance import server
from harness.bpf_conformance.home import home
from hil.errors import BenchError
from tests.fakes import FakeExecutor, FakeTarget, fake_facts, replace_machines


@pytest.fixture
def life(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What happens to the machine of a lane, whose kernel is not as its records say."""
    told: list[str] = []
    replace_machines(
        monkeypatch,
        target=lambda spec: FakeTarget(spec, life=told.append),
        executor=lambda target, guest, **_: FakeExecutor(target, guest, told=fake_facts(perf_event_paranoid=1)),
    )
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(os, "dup2", lambda *_: None)
    return told


def test_it_says_that_it_listens_and_in_what_its_kernel_differs(
    life: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    place = home("debian-12/arm64/jit")
    place.make()
    server._live(place, 0.01)
    said = capfd.readouterr()
    differs = "kernel/perf_event_paranoid is 1, where Debian's 6.1 has 3"
    assert json.loads(said.out) == {"warnings": [differs]}
    assert f"warning: {differs}" in said.err.splitlines()
    assert life == ["up", "down"]


def test_a_kernel_that_is_not_the_one_that_was_meant_serves_nobody(
    life: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.session.GuestExecutor", _another)
    place = home("debian-12/arm64/jit")
    place.make()
    with pytest.raises(BenchError, match=r"booted is 6\.1\.0-57"):
        server._live(place, 0.01)
    assert life == ["up", "down"] and not place.endpoint.exists()


def _another(target: FakeTarget, guest: object, **_: object) -> FakeExecutor:
    return FakeExecutor(target, guest, told=fake_facts(release="6.1.0-57"))  # type: ignore[arg-type]
