# SPDX-License-Identifier: MIT
"""A loader in a guest: what it attaches is seen, what it leaves is told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.loader import running
from harness.loader.running import Limits, Place
from harness.loader.task import Task, task
from harness.pytest_plugin.guest import LaneGuest
from harness.run.executed import Executed
from hil.arch import Architecture
from hil.errors import UserError
from tests.harness.loader.building import STAYING, built

pytestmark = pytest.mark.guest

LIMITS = Limits(20.0)


@pytest.fixture
def place(guest: LaneGuest) -> Iterator[Place]:
    place = Place(guest.machine, guest.executor)
    place.prepare()
    yield place
    place.close()
    # Other tests use the same machine.
    guest.machine.run(["sh", "-c", f"echo >>{guest.machine.tracing}/kprobe_events -:hil_loader/hits; umount -l /hil"])


def kinds(executed: Executed) -> set[str]:
    return {one.kind for one in executed.seen}


@pytest.mark.needs("kprobes")
def test_a_static_loader(guest: LaneGuest, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = built(guest.machine.arch, tmp_path)

    def run(*arguments: str, limits: Limits = LIMITS) -> Executed:
        chosen = of(program, guest.machine.arch, *arguments)
        return place.run(str(guest.lane), chosen, limits, tmp_path / "-".join(("run", *arguments)), tmp_path)

    good = run("linger", "2")
    assert (good.status, good.stdout, good.left) == (0, "10 hits", ())
    assert kinds(good) == {"program", "map", "perf event", "probe", "kprobe"}
    assert "run-linger-2/stdout" in good.output
    if guest.model.environment.rules.release >= (4, 13):
        assert (good.loaded, good.made) == (1, 1)

    assert run("fail").status == 7

    left = run("leave")
    kept = {one.kind: one.text for one in left.left}
    assert {"probe"} <= kept.keys() <= {"probe", "kprobe"}  # later releases list a probe that nobody uses, as disabled
    assert "hil_loader/hits" in kept["probe"]
    guest.machine.run(["sh", "-c", f"echo >>{guest.machine.tracing}/kprobe_events -:hil_loader/hits"])

    late = run("linger", "600", limits=Limits(2.0))
    assert late.late and late.status is None
    assert not [one for one in late.left if one.kind == "process"], "its process group outlived the deadline"
    guest.machine.run(["sh", "-c", f"echo >>{guest.machine.tracing}/kprobe_events -:hil_loader/hits"])

    monkeypatch.setattr(running, "SETTLE", STAYING)
    daemon = run("fork")
    assert {one.kind for one in daemon.left} >= {"process", "program", "map", "perf event", "probe"}
    (process,) = (one.identity for one in daemon.left if one.kind == "process")
    guest.machine.run(["kill", "-9", process])


def test_a_guest_without_space(guest: LaneGuest, place: Place, tmp_path: Path) -> None:
    guest.machine.run(["mount", "-o", "remount,size=3m", "/hil"])
    program = built(guest.machine.arch, tmp_path)
    full = place.run(str(guest.lane), of(program, guest.machine.arch, "fill"), LIMITS, tmp_path / "run", tmp_path)
    assert full.status == 1
    assert any("no space" in note for note in full.notes)
    big = tmp_path / "big"
    big.write_bytes(bytes(4 << 20))
    with pytest.raises(UserError, match=r"no space for .*big .*--memory"):
        chosen = task(["true"], [str(big)], [], guest.machine.arch, root=False)
        place.run(str(guest.lane), chosen, LIMITS, tmp_path / "run", tmp_path)


def test_an_interpreter_that_is_not_there(guest: LaneGuest, place: Place, tmp_path: Path) -> None:
    program = built(guest.machine.arch, tmp_path, "-Wl,--dynamic-linker=/lib/ld-of-nobody.so.1")
    with pytest.raises(UserError, match=r"starts with /lib/ld-of-nobody.so.1, which the guest's small root does not"):
        place.run(str(guest.lane), of(program, guest.machine.arch), LIMITS, tmp_path / "run", tmp_path)


def test_a_command_that_removes_everything_is_ended_and_told(guest: LaneGuest, place: Place, tmp_path: Path) -> None:
    removing = Task("sh", ("sh", "-c", "rm -rf /hil/.hil /hil/*; exec sleep 600"), {}, ())
    late = place.run(str(guest.lane), removing, Limits(2.0), tmp_path / "run", tmp_path)
    assert late.late and not late.left
    assert "its output is gone: there is no /hil/.hil/stdout" in late.notes


def test_a_process_of_the_guests_own_programs_is_known_wherever_it_works(
    guest: LaneGuest, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "SETTLE", STAYING)
    script = "cd /; setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $!"
    ended = place.run(str(guest.lane), Task("sh", ("sh", "-c", script), {}, ()), LIMITS, tmp_path / "run", tmp_path)
    (left,) = ended.left
    assert (ended.status, left.kind) == (0, "process")
    guest.machine.run(["kill", "-9", left.identity])


def test_what_a_command_leaves_in_place_of_files_costs_nothing_else(
    guest: LaneGuest, place: Place, tmp_path: Path
) -> None:
    chosen = Task("sh", ("sh", "-c", "mkdir d; mkfifo d/pipe; echo x >d/-file"), {}, ("d", "gone"))
    ended = place.run(str(guest.lane), chosen, LIMITS, tmp_path / "run", tmp_path)
    assert (tmp_path / "run/files/d/-file").read_text() == "x\n"
    assert [note.partition(",")[0] for note in ended.notes] == [
        "there is no /hil/d/pipe on the guest",
        "there is no /hil/gone on the guest",
    ]


def of(program: Path, arch: Architecture, *arguments: str) -> Task:
    return task([str(program), *arguments], [], [], arch, root=False)
