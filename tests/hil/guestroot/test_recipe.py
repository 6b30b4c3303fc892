# SPDX-License-Identifier: MIT
"""The recipe as shipped: every row has its reason, and init finds the files that it reads."""

from __future__ import annotations

import stat
import subprocess
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest

from hil import resources
from hil.guestroot.recipe import recipe

IMAGES = resources.folder("images")


def rows() -> Iterator[tuple[str, dict[str, Any]]]:
    table = tomllib.loads((IMAGES / "guestroot.toml").read_text())
    for kind in ("package", "driver", "setting"):
        yield from ((f"{kind} {row}", row) for row in table[kind])
    for kind in ("file", "folder", "link", "device"):
        yield from ((f"{kind} {name}", row) for name, row in table[kind].items())


@pytest.mark.parametrize(("name", "row"), list(rows()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_row_has_a_reason(name: str, row: dict[str, Any]) -> None:
    assert row["why"], name


def test_init_can_run() -> None:
    entry = recipe().entries["init"]
    assert entry.mode == stat.S_IFREG | 0o755
    assert entry.data.startswith(b"#!/bin/busybox sh\n")
    assert "bin/busybox" in [program.target for program in recipe().programs]


def test_init_is_plain_shell() -> None:
    subprocess.run(["/bin/sh", "-n", IMAGES / "init"], check=True)


def test_mount_points_are_there() -> None:
    fstab = recipe().entries["etc/fstab"].data.decode()
    points = [line.split()[1].lstrip("/") for line in fstab.splitlines()]
    made = {"dev", "sys/kernel/debug", "sys/kernel/tracing"}  # with dev/null in it; by the kernel
    assert set(points) - made <= set(recipe().entries)


def test_settings_are_lines_of_path_and_value() -> None:
    assert b"kernel/random/urandom_min_reseed_secs 0\n" in recipe().entries["etc/settings"].data


def test_logging_in_takes_a_key() -> None:
    """`*` matches no password: passwd(5)."""
    for line in recipe().entries["etc/passwd"].data.decode().splitlines():
        assert line.split(":")[1] == "*"
