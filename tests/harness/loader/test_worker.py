# SPDX-License-Identifier: MIT
"""A command on the lanes of a kernel, with machines that are none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.lane import all_lanes
from harness.loader.commands import exec_
from harness.loader.running import Limits, Lost
from harness.loader.task import Task
from harness.run.executed import Executed, KernelObject
from harness.run.places import Places
from harness.session import OnBoard
from hil.board.address import parse
from hil.board.board import Board
from hil.errors import MachineLost, UserError
from hil.machine import MachineSpec
from tests.fakes import FakeTarget, fake_kernel, replace_machines

LEFT = KernelObject("probe", "p:x", "kprobe_events: p:x")


class FakePlace:
    """A workspace in which commands end as `ends` says, lane by lane."""

    ends: list[Executed | MachineLost | UserError]

    def __init__(self, *_: object) -> None:
        pass

    def prepare(self, bootable: object) -> None:
        pass

    def run(self, lane: str, task: Task, limits: Limits, folder: Path, shown: Path) -> Executed:
        end = self.ends.pop(0)
        if isinstance(end, MachineLost):
            raise Lost(end, "the guest", "it panicked", Executed(lane, task.argv, seen=(LEFT,)))
        if isinstance(end, UserError):
            raise end
        return Executed(lane, task.argv, end.status, left=end.left)

    def close(self) -> None:
        pass


def ended(status: int, *left: KernelObject) -> Executed:
    return Executed("", (), status, left=left)


@pytest.fixture
def machines(monkeypatch: pytest.MonkeyPatch) -> list[MachineSpec]:
    specs: list[MachineSpec] = []

    def target(spec: MachineSpec) -> FakeTarget:
        specs.append(spec)
        return FakeTarget(spec)

    replace_machines(monkeypatch, target)
    monkeypatch.setattr("harness.loader.worker.Place", FakePlace)
    return specs


def run(tmp_path: Path, *options: str) -> tuple[int, dict[str, Any]]:
    words = ["--lanes", "debian-12/arm64", "--output", str(tmp_path), *options, "--", "true"]
    result = CliRunner().invoke(exec_, words, standalone_mode=False)
    assert result.exception is None, result.output
    return result.return_value, json.loads((tmp_path / "latest/results.json").read_text())


def verdicts(report: dict[str, Any]) -> list[str]:
    return [one["verdict"] for one in report["results"]]


def test_every_lane_has_a_machine_of_its_own(tmp_path: Path, machines: list[MachineSpec]) -> None:
    FakePlace.ends = [ended(0), ended(0)]
    status, report = run(tmp_path)
    assert (status, verdicts(report)) == (0, ["agree", "agree"])
    assert [spec.folder.name for spec in machines] == ["debian-12-arm64-interp", "debian-12-arm64-jit"]
    assert len(report["machines"]) == 2


def test_what_fails_or_leaves_something_is_no_success(tmp_path: Path, machines: list[MachineSpec]) -> None:
    FakePlace.ends = [ended(7), ended(0, LEFT)]
    status, report = run(tmp_path)
    assert (status, verdicts(report)) == (1, ["diverge", "diverge"])
    assert report["results"][1]["reason"] == "it left behind: kprobe_events: p:x"
    assert report["executed"][1]["left"] == [{"kind": "probe", "identity": "p:x", "text": "kprobe_events: p:x"}]
    FakePlace.ends = [ended(0), ended(0, LEFT)]
    assert run(tmp_path, "--may-leave")[0] == 0


def test_a_guest_that_died_costs_its_lane_only(tmp_path: Path, machines: list[MachineSpec]) -> None:
    FakePlace.ends = [MachineLost("broken"), ended(0)]
    status, report = run(tmp_path)
    assert (status, verdicts(report)) == (3, ["lost", "agree"])
    assert report["results"][0]["reason"] == "the guest died while true ran: it panicked"
    assert report["executed"][0]["seen"], "what was known until then"


def test_a_guest_without_room_is_an_error(tmp_path: Path, machines: list[MachineSpec]) -> None:
    FakePlace.ends = [UserError("there is no space", remedy="give it more")]
    status, report = run(tmp_path)
    assert (status, verdicts(report)) == (3, ["error", "error"])


def test_memory_and_disks_are_the_users_choice(
    tmp_path: Path, machines: list[MachineSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    monkeypatch.setattr("hil.directories.cache", lambda: tmp_path / "cache")
    FakePlace.ends = [ended(0)] * 2
    run(tmp_path, "--root", str(root), "--memory", "700")
    assert machines[0].memory == 700 and set(machines[0].disks) == {"root"}
    assert not list((tmp_path / "cache/disks").iterdir()), "the disk of a folder is not kept"
    FakePlace.ends = [ended(0)] * 2
    run(tmp_path)
    assert not machines[-1].disks


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--root", "debian-99"], "or one of debian-11"),
        (["--root", "./nowhere"], "there is no root file system './nowhere'"),
        (["--root", ""], "there is no root file system ''"),
        (["--root", ".", "--packages", "bpftool"], "--packages are for Debian's roots"),
    ],
)
def test_a_root_that_is_none_is_wrong_usage_before_anything_boots(option: list[str], said: str) -> None:
    result = CliRunner().invoke(exec_, [*option, "--", "true"], standalone_mode=False)
    assert isinstance(result.exception, UserError), result
    assert said in str(result.exception)


@pytest.mark.parametrize("option", [["--headers"], ["--packages", "bpftool"]])
def test_what_makes_no_sense_without_a_root(option: list[str]) -> None:
    result = CliRunner().invoke(exec_, [*option, "--", "true"], standalone_mode=False)
    assert isinstance(result.exception, UserError)
    assert "add --root debian-12" in str(result.exception)


@pytest.mark.parametrize("words", [("--root", "debian-12"), ("--memory", "512"), ("--keep-failed",)])
def test_what_only_guests_have_is_refused_for_a_board(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    kernel = fake_kernel("board:pi", "arm64")
    places = Places(tuple(all_lanes([(kernel.name, "arm64")])), OnBoard(Board(parse("ssh://pi"), "", ""), kernel))
    monkeypatch.setattr("harness.jobs.options.places.places", lambda *_: places)
    result = CliRunner().invoke(exec_, ["--target", "ssh://pi", *words, "--", "true"])
    assert isinstance(result.exception, UserError)
    assert "are for guests" in str(result.exception)
