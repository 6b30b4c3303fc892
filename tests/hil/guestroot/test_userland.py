# SPDX-License-Identifier: MIT
"""The files that a program needs to run, with programs linked for these tests."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from hil.errors import BenchError
from hil.guestroot.userland import closure

LOADER = "ld-linux-test.so.2"
LIBRARIES = "lib/x86_64-linux-gnu"


@pytest.fixture
def unpacked(tmp_path: Path) -> Path:
    """bin/prog -> libone.so.1 -> libtwo.so.2, with a loader; and a bin/still that is static."""
    if not shutil.which("gcc"):
        pytest.skip("no C compiler")
    folder = tmp_path / LIBRARIES
    folder.mkdir(parents=True)
    (tmp_path / "bin").mkdir()

    def link(output: Path, *arguments: str | Path) -> None:
        command = ["gcc", "-nostdlib", "-x", "c", "-", "-x", "none", "-Wl,--no-as-needed", "-o", output, *arguments]
        subprocess.run(command, input=b"int _start(void) { return 0; }", check=True)

    link(folder / LOADER, "-shared")
    link(folder / "libtwo.so.2.0", "-shared", "-Wl,-soname,libtwo.so.2")
    (folder / "libtwo.so.2").symlink_to("libtwo.so.2.0")
    link(folder / "libone.so.1", "-shared", "-Wl,-soname,libone.so.1", folder / "libtwo.so.2.0")
    loader, search = f"-Wl,--dynamic-linker=/lib64/{LOADER}", f"-Wl,-rpath-link={folder}"
    link(tmp_path / "bin/prog", loader, search, folder / "libone.so.1")
    link(tmp_path / "bin/still", "-static")
    return tmp_path


def test_a_static_program_needs_itself(unpacked: Path) -> None:
    assert closure(unpacked, "bin/still", "sbin/still") == {"bin/still": "sbin/still"}


def test_libraries_of_libraries_come_along_and_the_loader_goes_where_it_is_asked_for(unpacked: Path) -> None:
    assert closure(unpacked, "bin/prog", "bin/prog") == {
        "bin/prog": "bin/prog",
        f"{LIBRARIES}/{LOADER}": f"lib64/{LOADER}",
        f"{LIBRARIES}/libone.so.1": f"{LIBRARIES}/libone.so.1",
        f"{LIBRARIES}/libtwo.so.2": f"{LIBRARIES}/libtwo.so.2",
    }


def test_a_missing_library_is_named_with_its_user(unpacked: Path) -> None:
    (unpacked / LIBRARIES / "libtwo.so.2").unlink()
    with pytest.raises(BenchError, match=r"libone\.so\.1 needs libtwo\.so\.2, which is in no package"):
        closure(unpacked, "bin/prog", "bin/prog")
