# SPDX-License-Identifier: MIT
"""The process of a machine that stays up, with fake machines."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from harness.keep import home, process
from harness.keep.home import Kept
from harness.lane import Engine, Lane
from harness.loader.access import Access
from harness.loader.rooted import Surroundings
from hil.errors import MachineLost
from hil.machine import MachineSpec
from tests.fakes import FakeTarget, fake_kernel, replace_machines

LANE = "debian-12/x86_64/jit"
NOTHING = json.dumps({"root": None, "packages": [], "headers": False, "memory": None})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr("hil.directories.state", lambda: tmp_path)
    made = home.home(LANE)
    made.mkdir(parents=True)
    ends = signal.getsignal(signal.SIGTERM)
    yield made
    signal.signal(signal.SIGTERM, ends)  # a process of its own, which this is not, would keep another way to end


def test_a_second_process_of_a_lane_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with FileLock(folder / "life.lock"):
        assert process.main(LANE, "1", NOTHING) == 2
    assert "a machine of debian-12/x86_64/jit starts or ends just now" in json.loads(capsys.readouterr().out)["what"]


def test_what_a_killed_process_left_is_gone_when_the_next_one_boots(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Kept(LANE, 1, 2e9, Access(2222, "/key", "", "/known")).write(folder)
    seen = []
    monkeypatch.setattr(process, "hold", lambda *_: seen.append(home.record(folder).exists()))
    assert process.main(LANE, "1", NOTHING) == 0
    assert seen == [False]


def test_a_machine_that_is_lost_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machines: list[FakeTarget] = []

    def made(spec: MachineSpec) -> FakeTarget:
        machines.append(FakeTarget(spec))
        return machines[-1]

    replace_machines(monkeypatch, made, kernel=lambda *_, **__: fake_kernel("debian-12", "x86_64"))
    monkeypatch.setattr(process, "Place", lambda *_: SimpleNamespace(prepare=lambda _: None))
    monkeypatch.setattr(Access, "of", lambda *_, **__: Access(2222, "/key", "", "/known"))
    lane = Lane("debian-12", "x86_64", Engine.JIT)
    with pytest.raises(MachineLost, match="the machine of debian-12/x86_64/jit is gone: QEMU was killed"):
        process.hold(lane, Surroundings(), tmp_path, 60, lambda _: machines[0].lose("QEMU was killed"))
    process.hold(lane, Surroundings(), tmp_path, 0.01, lambda _: None)
