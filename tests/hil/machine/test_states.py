# SPDX-License-Identifier: MIT
"""Saved states without a machine: their key, and what becomes of their files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner

from hil import cache
from hil.errors import MachineLost
from hil.machine import Machine, MachineSpec, states
from hil.machine.accelerator import KVM, TCG
from hil.machine.commands import states as command
from tests.hil.machine.conftest import MakeSpec


@pytest.fixture
def spec(make_spec: MakeSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MachineSpec:
    """A machine whose files exist, and a cache of its own."""
    monkeypatch.setattr("hil.directories.cache", lambda: tmp_path / "cache")
    monkeypatch.setattr("hil.machine.accelerator.choose", lambda _: TCG)
    for name in ("image", "root", "qemu"):
        (tmp_path / name).write_bytes(name.encode())
    (tmp_path / "config").write_text("CONFIG_PCI=y\nCONFIG_PCI_HOST_GENERIC=y\n")
    (tmp_path / "qemu").chmod(0o755)
    monkeypatch.setattr("shutil.which", lambda _: str(tmp_path / "qemu"))
    made = make_spec("arm64", tmp_path / "run")
    made.folder.mkdir()
    made.console_log.write_text("hil: ready\n")
    kernel = replace(made.kernel, image=tmp_path / "image", config=tmp_path / "config")
    return replace(made, kernel=kernel, root=replace(made.root, initramfs=tmp_path / "root", connects=True))


class Saves:
    """A machine that writes its state as `write` does."""

    def __init__(self, spec: MachineSpec, write: Callable[[Path], object] = lambda path: path.write_bytes(b"RAM")):
        self.spec, self.save, self.alive = spec, write, True
        self.console = SimpleNamespace(first_trouble=None)


def keep(machine: Saves) -> list[str]:
    """What is told when the machine is kept."""
    told: list[str] = []
    states.keep(cast("Machine", machine), notify=told.append)
    return told


def test_a_state_is_found_with_its_console_by_a_machine_that_is_alike(spec: MachineSpec, tmp_path: Path) -> None:
    assert states.find(spec) is None
    assert keep(Saves(spec)) == []
    found = states.find(replace(spec, folder=tmp_path / "other run"))
    assert found is not None and (found / states.STATE).read_bytes() == b"RAM"
    cache.check(found)
    assert states.copy_console(found, tmp_path / "log") == len("hil: ready\n")
    assert (tmp_path / "log").read_text() == "hil: ready\n"


def test_whatever_a_state_depends_on_changes_its_key(spec: MachineSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    def with_content(path: Path, text: str) -> Path:
        path.write_text(text)
        return states.folder_of(spec)

    folders = [states.folder_of(spec)]
    folders += [
        states.folder_of(replace(spec, **change)) for change in ({"cpus": 2}, {"memory": 1024}, {"append": ("a",)})
    ]
    folders += [with_content(path, "changed") for path in (spec.kernel.image, spec.root.initramfs)]
    folders.append(with_content(spec.folder.parent / "qemu", "another QEMU"))
    monkeypatch.setattr("hil.machine.accelerator.choose", lambda _: KVM)
    folders.append(states.folder_of(spec))
    monkeypatch.setattr("platform.release", lambda: "another host kernel")
    folders.append(states.folder_of(spec))
    assert len(set(folders)) == len(folders)


def test_the_host_does_not_matter_where_the_cpu_is_emulated(spec: MachineSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    before = states.folder_of(spec)
    monkeypatch.setattr("platform.release", lambda: "another host kernel")
    assert states.folder_of(spec) == before


def test_a_plugin_is_no_part_of_a_state_but_translates(spec: MachineSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are others for each machine; and there is none with KVM."""
    first, second = (states.folder_of(replace(spec, plugin=f"recorder.so,control=/run/{number}")) for number in (1, 2))
    assert first == second == states.folder_of(spec)
    monkeypatch.setattr("hil.machine.accelerator.choose", lambda _: KVM)
    assert states.folder_of(replace(spec, plugin="recorder.so")) == first != states.folder_of(spec)


def test_of_two_that_save_the_first_is_kept(spec: MachineSpec) -> None:
    keep(Saves(spec))
    assert keep(Saves(spec, lambda path: pytest.fail("it is there"))) == []


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "No space left"),
        (MachineLost("QEMU could not save the machine"), "could not save"),
    ],
)
def test_what_cannot_be_saved_is_told_and_leaves_nothing(spec: MachineSpec, trouble: Exception, told: str) -> None:
    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise trouble

    (line,) = keep(Saves(spec, fail))
    assert line.startswith("the machine is not saved for later ones: ") and told in line
    assert states.find(spec) is None and states.states() == []


def test_a_machine_that_ends_while_it_is_saved_is_lost(spec: MachineSpec) -> None:
    def end(_: Path) -> None:
        machine.alive = False
        raise MachineLost("QEMU was killed")

    machine = Saves(spec, end)
    with pytest.raises(MachineLost, match="was killed"):
        keep(machine)


def test_a_full_disk_is_seen_before_anything_is_written(spec: MachineSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    (line,) = keep(Saves(spec, lambda _: pytest.fail("there is no room")))
    assert "No space left" in line


def test_a_machine_in_trouble_is_not_saved(spec: MachineSpec) -> None:
    machine = Saves(spec, lambda _: pytest.fail("it is in trouble"))
    machine.console.first_trouble = "BUG: something"
    assert keep(machine) == ["the machine is not saved for later ones: it printed 'BUG: something'"]


def test_the_state_that_was_used_least_recently_makes_room(spec: MachineSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "LIMIT", 2500)
    specs = [replace(spec, memory=memory) for memory in (1, 2, 3)]
    for used, one in enumerate(specs[:2]):
        assert keep(Saves(one, lambda path: path.write_bytes(bytes(1000)))) == []
        os.utime(states.folder_of(one), (used + 100, used + 100))
    assert states.find(specs[0])  # used again
    (line,) = keep(Saves(specs[2], lambda path: path.write_bytes(bytes(1000))))
    assert line.startswith("removed 1 saved machines") and states.folder_of(specs[1]).name in line
    assert [states.find(one) is not None for one in specs] == [True, False, True]


def left_over(spec: MachineSpec) -> Path:
    """What a process left that was killed when it saved such a machine."""
    folder = states.folder_of(spec)
    left = folder.with_name(f".{folder.name}.new-abc")
    left.mkdir(parents=True)
    (left / states.STATE).write_bytes(b"half")
    return left


def test_what_a_killed_process_left_is_removed_when_another_machine_is_saved(spec: MachineSpec) -> None:
    left = left_over(replace(spec, memory=1))
    keep(Saves(spec))
    assert not left.exists()


def test_what_is_left_over_is_removed_with_the_others_unless_it_is_being_filled(spec: MachineSpec) -> None:
    left, being_filled = left_over(spec), left_over(replace(spec, memory=1))
    with cache.locked(states.folder_of(replace(spec, memory=1))):
        CliRunner().invoke(command, ["--remove"], catch_exceptions=False)
    assert not left.exists() and being_filled.exists()


def test_a_stray_file_is_no_state(spec: MachineSpec) -> None:
    keep(Saves(spec))
    (states.folder_of(spec).parent / "stray").touch()
    assert [state.folder for state in states.states()] == [states.folder_of(spec)]


def test_they_are_listed_and_removed(spec: MachineSpec) -> None:
    keep(Saves(spec))
    shown = CliRunner().invoke(command, [], catch_exceptions=False).output
    assert states.folder_of(spec).name[:12] in shown and "1 states" in shown
    assert "1 states" in CliRunner().invoke(command, ["--remove"], catch_exceptions=False).output
    assert states.find(spec) is None


@pytest.mark.parametrize(("value", "wanted"), [(None, True), ("", True), ("0", True), ("1", False)])
def test_the_environment_turns_them_off(monkeypatch: pytest.MonkeyPatch, value: Any, wanted: bool) -> None:
    monkeypatch.delenv(states.COLD, raising=False)
    if value is not None:
        monkeypatch.setenv(states.COLD, value)
    assert states.wanted() is wanted
