# SPDX-License-Identifier: MIT
"""A guest as a board: objects are tried there and commands run there as on its lanes, and it is left as it was."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from harness.check.commands import check
from harness.loader import running
from harness.loader.access import Access
from harness.loader.commands import exec_
from harness.pytest_plugin.guest import LaneGuest
from tests.harness.loader.building import STAYING, built
from tests.harness.objects.probes import probe

pytestmark = [pytest.mark.guest, pytest.mark.needs("kprobes")]
OnBoard = Callable[..., dict[str, Any]]
_HELD = 'cat "$1"/kprobe_events; ls -A /tmp; cat /proc/sys/net/core/bpf_jit_enable'


@pytest.fixture
def on_board(guest: LaneGuest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnBoard]:
    """Runs a command on the guest, and returns the record of its run."""
    monkeypatch.setenv("HIL_HISTORY", str(tmp_path / "history.sqlite"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    access = Access.of(guest.machine, tmp_path, rooted=False)
    config = tmp_path / "ssh_config"
    config.write_text(
        f"Host bench-guest\n  HostName 127.0.0.1\n  Port {access.port}\n  User root\n  IdentityFile {access.key}\n"
        f"  IdentitiesOnly yes\n  UserKnownHostsFile {access.known_hosts}\n"
    )
    words = ["--target", "ssh://bench-guest", "--ssh-config", str(config)]
    words += ["--target-config", str(guest.session.kernel.config), "--lanes", f"*/*/{guest.lane.engine}"]
    words += ["--output", str(tmp_path / "runs")]

    def run(command: click.Command, *more: str) -> dict[str, Any]:
        said = CliRunner().invoke(command, [*words, *more], standalone_mode=False)
        assert said.exception is None, said
        return json.loads((tmp_path / "runs/latest/results.json").read_text()) | {"status": said.return_value}

    before = held(guest)
    yield run
    assert held(guest) == before


def held(guest: LaneGuest) -> bytes:
    """What a run on a board may change."""
    return guest.machine.run(["sh", "-c", _HELD, "held", guest.machine.tracing]).stdout


def test_an_object_is_tried(guest: LaneGuest, on_board: OnBoard, tmp_path: Path) -> None:
    (tmp_path / "probe.o").write_bytes(probe())
    record = on_board(check, str(tmp_path / "probe.o"))
    (found,) = record["checked"]
    assert (found["lane"], found["fires"]) == (f"board:bench-guest/{guest.lane.arch}/{guest.lane.engine}", "yes")
    assert (record["status"], found["whys"]) == (0, [])


def test_a_loader_runs(guest: LaneGuest, on_board: OnBoard, tmp_path: Path) -> None:
    program = built(guest.machine.arch, tmp_path)
    (good,) = on_board(exec_, "--", str(program), "linger", "3")["executed"]
    assert (good["status"], good["stdout"], good["left"]) == (0, "10 hits", [])
    assert {"program", "map", "probe"} <= {one["kind"] for one in good["seen"]}


def test_a_process_that_is_left_is_told_and_ended(
    guest: LaneGuest, on_board: OnBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SETTLE", STAYING)
    record = on_board(exec_, "--", str(built(guest.machine.arch, tmp_path)), "fork")
    (process,) = (one["identity"] for one in record["executed"][0]["left"] if one["kind"] == "process")
    assert record["status"] == 1
    assert guest.machine.run(["test", "-d", f"/proc/{process}"]).status == 1, "it outlived the run"
    # Probes may be the board's own, so that they are told only.
    guest.machine.run(["sh", "-c", 'echo -:hil_loader/hits >>"$1"/kprobe_events', "end", guest.machine.tracing])
