# SPDX-License-Identifier: MIT
"""Every remedy of `hil doctor`, each on a host that is made to lack one thing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from hil.debian.mirror import Mirror
from hil.doctor import commands, host, kernels, programs
from hil.doctor.finding import Finding, State
from hil.errors import BenchError

EVERYTHING = "/usr/bin/{}".format


def program(path: Path, text: str) -> str:
    """A program of the host that does what `text` says."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def kernel(cache: Path, metadata: str) -> None:
    folder = cache / "hil/kernels/debian-12/arm64"
    folder.mkdir(parents=True)
    (folder / "metadata.json").write_text(metadata)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("tool", programs.TOOLS, ids=lambda tool: tool.package)
def test_a_missing_tool_is_named_with_its_package(tool: programs.Tool, tmp_path: Path) -> None:
    (found,) = programs.tools(lambda name: None if name in tool.names else EVERYTHING(name), keyring=tmp_path)
    assert found.state is State.WARNING
    assert tool.needed_for in found.what
    assert found.remedy.startswith("apt-get install") and found.remedy.endswith(f" {tool.package}")


def test_missing_archive_keys_are_named_with_their_package(tmp_path: Path) -> None:
    (found,) = programs.tools(EVERYTHING, keyring=tmp_path / "absent.gpg")
    assert found.state is State.WARNING and found.remedy.endswith(" debian-archive-keyring")


def test_nothing_is_missing(tmp_path: Path) -> None:
    (found,) = programs.tools(EVERYTHING, keyring=tmp_path)
    assert found.state is State.OK and not found.remedy


def test_a_missing_compiler_is_named_for_its_architecture() -> None:
    found = {one.subject: one for one in programs.compilers(lambda name: None if "aarch64" in name else name)}
    assert found["agent for arm64"].remedy.endswith(" gcc-aarch64-linux-gnu")
    assert found["agent for x86_64"].state is State.OK


def test_a_host_without_any_qemu_cannot_work() -> None:
    found = list(programs.emulators(lambda _: None))
    assert {one.state for one in found} == {State.ERROR}
    packages = [one.remedy.rpartition(" ")[2] for one in found]
    assert packages == ["qemu-system-x86", "qemu-system-arm", "qemu-system-misc"]


def test_a_qemu_that_is_missing_beside_others_costs_its_lanes_only(tmp_path: Path) -> None:
    qemu = program(tmp_path / "qemu", r"echo; printf '10.0.8Debian 1:10.0.8\r\n(qemu) quit\r\n'")
    found = list(programs.emulators(lambda name: None if "riscv" in name else qemu))
    assert [one.state for one in found] == [State.OK, State.OK, State.WARNING]
    assert found[0].what.startswith("10.0.8 Debian 1:10.0.8, ")


def test_a_qemu_without_its_firmware_is_told_in_its_own_words(tmp_path: Path) -> None:
    text = "failed to find romfile efi-virtio.rom"
    qemu = program(tmp_path / "qemu", f"echo 'qemu: {text}' >&2; exit 1")
    first, *_ = programs.emulators(lambda _: qemu)
    assert first.state is State.ERROR and text in first.what
    assert first.remedy.endswith(" qemu-system-x86 ipxe-qemu")


def test_a_qemu_with_which_nothing_can_be_recorded_is_told() -> None:
    """A shell is a program without plugins; this host's QEMU has them."""
    first, second = programs.recorders(lambda _: "/bin/sh")
    assert first.state is second.state is State.WARNING and "built without plugins" in first.what and first.remedy
    assert not list(programs.recorders(lambda _: None))
    found = list(programs.recorders())
    assert found and all(one.state is State.OK and "read registers by" in one.what for one in found)


def test_a_qemu_that_is_no_program_is_told(tmp_path: Path) -> None:
    (tmp_path / "qemu").touch()
    first, *_ = programs.emulators(lambda _: str(tmp_path / "qemu"))
    assert first.state is State.ERROR and "Permission denied" in first.what and first.remedy


@pytest.mark.parametrize(
    ("device", "openable", "flags", "expected", "remedy"),
    [
        (True, True, "vmx", State.OK, ""),
        (False, True, "vmx", State.WARNING, "modprobe kvm"),
        (True, False, "vmx", State.WARNING, "usermod -aG kvm"),
        (True, True, "fpu", State.WARNING, "nested virtualization"),
    ],
)
def test_what_is_in_the_way_of_kvm_is_named(
    device: bool,
    openable: bool,
    flags: str,
    expected: State,
    remedy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("HIL_ACCELERATOR", raising=False)
    monkeypatch.setattr(os, "access", lambda path, _: openable and Path(path).exists())
    if device:
        (tmp_path / "kvm").touch()
    (tmp_path / "cpuinfo").write_text(f"flags : {flags}\n")
    found = host.virtualization(tmp_path / "kvm", "x86_64", tmp_path / "cpuinfo")
    assert found.state is expected and remedy in found.remedy


def test_a_host_of_another_architecture_translates_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIL_ACCELERATOR", raising=False)
    found = host.virtualization(machine="sparc64")
    assert found.state is State.WARNING and "sparc64" in found.what and found.remedy


def test_a_wanted_accelerator_is_no_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_ACCELERATOR", "tcg")
    assert host.virtualization().state is State.OK


@pytest.mark.parametrize(("slowness", "expected"), [(1.2, State.OK), (host.SLOW, State.WARNING)])
def test_a_slow_host_is_told(slowness: float, expected: State) -> None:
    found = host.pace(slowness)
    assert found.state is expected and bool(found.remedy) is (expected is not State.OK)


@pytest.mark.parametrize(("available", "expected"), [(host.LEAST_MEMORY, State.OK), (100 << 20, State.ERROR)])
def test_too_little_memory_is_an_error(available: int, expected: State, tmp_path: Path) -> None:
    # Not every host tells what is available (containers, kernels before 3.14): what is free is.
    for row in ("MemAvailable", "MemFree"):
        (tmp_path / "meminfo").write_text(f"MemTotal: 9 kB\n{row}:   {available >> 10} kB\n")
        found = host.memory(tmp_path / "meminfo")
        assert found.state is expected and ("--jobs 1" in found.remedy) is (expected is State.ERROR)


@pytest.mark.parametrize(
    ("free", "expected"),
    [(host.ENOUGH_ROOM, State.OK), (host.LEAST_ROOM, State.WARNING), (host.LEAST_ROOM - 1, State.ERROR)],
)
def test_a_full_disk_is_told_before_it_is_full(
    free: int, expected: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free}))
    found = host.room("cache", tmp_path / "not/yet/made", "XDG_CACHE_HOME")
    assert found.state is expected
    assert expected is State.OK or ("hil cache prune" in found.remedy and "XDG_CACHE_HOME" in found.remedy)


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "hil").write_text("a file in its place")
    found = host.room("cache", tmp_path / "hil" / "kernels", "XDG_CACHE_HOME")
    assert found.state is State.ERROR and "set XDG_CACHE_HOME" in found.remedy


def test_a_mistyped_variable_is_told_with_what_was_meant() -> None:
    found = list(host.variables({"HIL_ACELERATOR": "tcg", "HIL_LANES": "of a pipeline", "HOME": "/"}))
    assert [(one.state, one.remedy) for one in found] == [(State.WARNING, "did you mean HIL_ACCELERATOR?")]


def test_a_value_without_meaning_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIL_TIME_SCALE", "fast")
    (found,) = host.variables()
    assert found.state is State.ERROR and "e.g. 2.5" in found.remedy


def test_the_archive_can_be_reached(cache: Path) -> None:
    asked = []
    found = kernels.archive(
        lambda: Mirror("http://user:secret@host/debian", ""), lambda uri, _: asked.append(uri) or ""
    )
    assert found.state is State.OK and "secret" not in found.what
    assert found.what.endswith("has bookworm, of debian-12") and asked[0].endswith("/dists/bookworm/InRelease")


def test_without_an_archive_only_kernels_at_hand_can_be_used(cache: Path) -> None:
    def find() -> Mirror:
        return Mirror("http://host/debian", "")

    def unreachable(uri: str, _: Path) -> str:
        return f"E: Failed to fetch {uri}  Could not connect"

    found = kernels.archive(find, unreachable)
    assert found.state is State.ERROR and "HIL_DEBIAN_MIRROR" in found.remedy
    kernel(cache, "{}")
    assert kernels.archive(find, unreachable).state is State.WARNING


def test_a_host_whose_apt_knows_no_archive_is_told_how_to_name_one(cache: Path) -> None:
    def find() -> Mirror:
        raise BenchError("the host's apt is not configured", remedy="set HIL_DEBIAN_MIRROR")

    found = kernels.archive(find)
    assert found.state is State.ERROR and found.remedy == "set HIL_DEBIAN_MIRROR"


def test_a_file_is_fetched_as_apt_does(tmp_path: Path) -> None:
    (tmp_path / "InRelease").write_text("Suite: here")
    assert kernels._fetch((tmp_path / "InRelease").as_uri(), tmp_path / "got") == ""
    assert kernels._fetch((tmp_path / "absent").as_uri(), tmp_path / "other").startswith("E: ")


def test_a_host_without_kernels_is_told_how_to_get_one(cache: Path) -> None:
    found = kernels.at_hand()
    assert found.state is State.WARNING and found.remedy == "hil kernels fetch debian-12"


def test_a_damaged_kernel_is_told_with_how_to_remove_it(cache: Path) -> None:
    kernel(cache, "no json")
    found = kernels.at_hand()
    assert found.state is State.WARNING and found.remedy == "hil kernels remove debian-12 --arch arm64"


@pytest.mark.parametrize(("state", "status"), [(State.OK, 0), (State.WARNING, 0), (State.ERROR, 3)])
def test_the_command_exits_as_the_worst_finding(state: State, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    remedy = "" if state is State.OK else "do it"
    given = [Finding("this", State.OK, "is there"), Finding("that", state, "is so", remedy)]
    monkeypatch.setattr(commands, "CHECKS", (lambda: given, lambda: Finding("one", State.OK, "is there")))
    done = CliRunner().invoke(commands.doctor, ["--json"], standalone_mode=False)
    said = json.loads(done.stdout)
    assert (done.return_value, said["state"]) == (status, state)
    assert said["findings"][1] == {"subject": "that", "state": state, "what": "is so", "remedy": remedy}
    shown = CliRunner().invoke(commands.doctor, standalone_mode=False)
    assert "is so" in shown.stdout and ("that: do it" in shown.stdout) is (state is not State.OK)


def test_every_finding_that_is_not_ok_has_a_remedy(cache: Path) -> None:
    assert all(one.remedy or one.state is State.OK for one in commands.findings())
