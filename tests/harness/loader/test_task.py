# SPDX-License-Identifier: MIT
"""What a user asks to run, as far as it can be told before any machine is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.loader.task import task
from hil.arch import architecture
from hil.errors import UserError
from tests.harness.loader.building import built

X86, ARM = architecture("x86_64"), architecture("arm64")


def test_a_program_of_this_host_is_copied_with_its_files(tmp_path: Path) -> None:
    program = built(X86, tmp_path)
    (tmp_path / "x86_64.o").write_bytes(b"object")
    made = task([f"{tmp_path}/loader-{{arch}}", "-v"], [f"{tmp_path}/{{arch}}.o:probe.o"], ["log"], X86, root=False)
    assert made.argv == ("./loader-x86_64", "-v")
    assert made.name == "loader-{arch}"
    assert made.files["probe.o"] == tmp_path / "x86_64.o"
    assert made.files["loader-x86_64"].name == program.name
    assert made.interpreter == ""


def test_a_link_has_the_name_of_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").touch()
    (tmp_path / "link").symlink_to("real")
    assert task(["true"], [f"{tmp_path}/link"], [], X86, root=False).files == {"link": tmp_path / "link"}


def test_a_command_of_the_guest_is_not_looked_for_here() -> None:
    assert task(["bpftool", "prog"], [], [], ARM, root=True).files == {}
    assert task(["/usr/sbin/bpftool-of-nobody"], [], [], ARM, root=True).argv == ("/usr/sbin/bpftool-of-nobody",)


def test_a_program_for_another_architecture_is_refused(tmp_path: Path) -> None:
    program = built(X86, tmp_path)
    with pytest.raises(UserError, match=r"is a program for X86_64, and the lane is arm64; .*\{arch\}"):
        task([str(program)], [], [], ARM, root=False)


def test_what_a_dynamic_program_needs_to_start_is_known(tmp_path: Path) -> None:
    program = built(ARM, tmp_path, "-fPIE", "-pie")
    assert task([str(program)], [], [], ARM, root=False).interpreter == "/lib/ld-linux-aarch64.so.1"


@pytest.mark.parametrize(
    ("text", "needs"),
    [("#!/bin/sh\n", "/bin/sh"), ("#! /usr/bin/env -S x\n", "/usr/bin/env"), ("#!\n", ""), ("#!x\n", ""), ("", "")],
)
def test_a_script_has_no_machine_and_needs_its_interpreter(tmp_path: Path, text: str, needs: str) -> None:
    (tmp_path / "run").write_text(text)
    (tmp_path / "run").chmod(0o755)
    assert task([str(tmp_path / "run")], [], [], ARM, root=False).interpreter == needs


def test_a_program_that_is_not_executable_is_told(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("#!/bin/sh\n")
    with pytest.raises(UserError, match="run is not executable; chmod"):
        task([str(tmp_path / "run")], [], [], ARM, root=False)


def test_a_damaged_program_is_told_as_such(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"\x7fELF\x02\x01")
    (tmp_path / "run").chmod(0o755)
    with pytest.raises(UserError, match="damaged ELF file"):
        task([str(tmp_path / "run")], [], [], ARM, root=False)


@pytest.mark.parametrize(
    ("argv", "files", "said"),
    [
        (["./nowhere"], [], "there is no file ./nowhere"),
        (["/nowhere"], [], "there is no file /nowhere"),
        (["ls"], ["/nowhere"], "there is no file /nowhere"),
        (["ls"], ["/etc/passwd:../passwd"], "no name below /hil"),
        (["ls"], ["/etc/passwd:/passwd"], "no name below /hil"),
        (["ls"], ["/etc/passwd", "/etc/group:passwd"], "have the same name passwd"),
        (["ls"], [""], "names no file"),
        (["ls"], [":name"], "names no file"),
        ([""], [], "the command has no name"),
    ],
)
def test_names_that_are_no_files(argv: list[str], files: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        task(argv, files, [], ARM, root=False)


@pytest.mark.parametrize(
    ("fetch", "said"),
    [
        ([""], "names no file"),
        (["/"], "names no file"),
        (["a/.."], "names no file"),
        (["a/log", "b/log"], "--fetch a/log and b/log have the same name log"),
    ],
)
def test_what_is_fetched_has_names_of_its_own(fetch: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        task(["ls"], [], fetch, ARM, root=False)
    assert task(["ls"], [], ["log", "log", "other"], ARM, root=False).fetch == ("log", "other")
