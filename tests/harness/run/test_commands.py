# SPDX-License-Identifier: MIT
"""What `hil run` says when it cannot: one line that tells what happened and what to do, and the right exit status."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hil.arch import architecture
from hil.kernels import store


def hil(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hil", *arguments],
        capture_output=True,
        text=True,
        timeout=600,
        env={**os.environ, **environment},
    )


def said_once(done: subprocess.CompletedProcess[str], *words: str) -> str:
    """The one line that says all of `words`; there is no traceback."""
    assert "Traceback" not in done.stdout + done.stderr
    lines = [line for line in (done.stdout + done.stderr).splitlines() if all(word in line for word in words)]
    assert lines, done.stdout + done.stderr
    return lines[0]


@pytest.mark.parametrize("lane", ["", "debian-21", "debian-12/sparc", "debian-12/arm64/fast", "a/b/c/d"])
def test_an_unknown_lane_is_wrong_usage(lane: str) -> None:
    done = hil("run", "--lanes", lane)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    said_once(done, repr(lane), "KERNEL/ARCH/ENGINE")


def test_a_script_that_does_not_exist_is_wrong_usage() -> None:
    done = hil("run", "--scripts", "nonsense")
    assert done.returncode == 2
    said_once(done, "'nonsense'", "close-detaches")


def test_a_required_kernel_must_be_among_the_lanes() -> None:
    done = hil("run", "--lanes", "debian-12/arm64/jit", "--require", "linux-4.1", "--list")
    assert done.returncode == 2
    said_once(done, "linux-4.1", "--lanes")


@pytest.mark.parametrize("words", ["debian-12 linux-4.1", "debian-12,linux-4.1"])
def test_required_kernels_are_listed_by_commas_or_blanks(words: str) -> None:
    for given, more in ((("--require", words), {}), ((), {"HIL_REQUIRE": words})):
        done = hil("run", "--lanes", "debian-12/arm64/jit", *given, "--list", **more)
        said_once(done, "--require linux-4.1: no lane of it was chosen")


def test_an_unknown_option_is_wrong_usage() -> None:
    assert hil("run", "--fast").returncode == 2


def test_no_place_for_the_run_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = hil("run", "--output", str(tmp_path / "file" / "runs"))
    assert done.returncode == 3
    said_once(done, str(tmp_path / "file"), "--output")


def test_no_network_and_an_empty_cache(tmp_path: Path) -> None:
    done = hil(
        *("run", "--lanes", "debian-12/x86_64/interp", "--output", str(tmp_path / "runs")),
        XDG_CACHE_HOME=str(tmp_path / "cache"),
        HIL_DEBIAN_MIRROR="http://127.0.0.1:9/debian",
    )
    assert done.returncode == 3
    said_once(done, "debian-12", "hil kernels import")


def test_a_lane_nobody_can_fetch_is_unsupported_and_a_failure_when_it_is_required(tmp_path: Path) -> None:
    command = ("run", "--kernel", "linux-4.1", "--scripts", "counting", "--output", str(tmp_path / "runs"))
    done = hil(*command, XDG_CACHE_HOME=str(tmp_path / "cache"))
    said_once(done, "unsupported: counting on linux-4.1")
    said_once(done, "linux-4.1", "hil kernels import")
    assert done.returncode == 3
    done = hil(*command, "--require", "linux-4.1", XDG_CACHE_HOME=str(tmp_path / "cache"))
    said_once(done, "linux-4.1 is required")
    assert done.returncode == 3


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    done = hil(
        *("run", "--lanes", "debian-12/x86_64/interp", "--scripts", "counting", "--output", str(tmp_path)),
        XDG_CACHE_HOME="/proc/version",
    )
    assert done.returncode == 3
    said_once(done, "/proc/version", "XDG_CACHE_HOME")


@pytest.mark.guest
def test_a_damaged_image_that_cannot_be_fetched_again(tmp_path: Path) -> None:
    kernel = store.get("debian-12", architecture("x86_64"))
    assert kernel.modules is not None
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    imported = hil(
        *("kernels", "import", "mine", "--arch", "x86_64", "--image", str(kernel.image)),
        *("--config", str(kernel.config), "--modules", str(kernel.modules)),
        **cache,
    )
    assert imported.returncode == 0, imported.stderr
    (image,) = (tmp_path / "cache").glob("hil/kernels/mine/x86_64/image")
    image.chmod(0o644)
    with image.open("r+b") as file:
        file.seek(100_000)
        file.write(b"damage")
    done = hil("run", "--lanes", "mine/*/interp", "--scripts", "counting", "--output", str(tmp_path / "runs"), **cache)
    assert done.returncode == 3
    said_once(done, "mine/x86_64", "damaged", "import")


@pytest.mark.guest
def test_a_missing_qemu_names_the_package(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for folder in os.environ["PATH"].split(":"):
        for program in Path(folder).glob("*") if Path(folder).is_dir() else ():
            if not program.name.startswith("qemu-system"):
                with contextlib.suppress(FileExistsError):  # an earlier folder of PATH has it
                    (programs / program.name).symlink_to(program)
    done = hil(
        *("run", "--lanes", "debian-12/x86_64/interp", "--scripts", "counting", "--output", str(tmp_path / "runs")),
        PATH=str(programs),
    )
    assert done.returncode == 3
    said_once(done, "qemu-system-x86_64", "apt-get install qemu-system-x86")
