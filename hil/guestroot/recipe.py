# SPDX-License-Identifier: MIT
"""The recipe of every guest root, as data from `images/guestroot.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from hil import resources
from hil.guestroot import cpio
from hil.guestroot.cpio import Entry


@dataclass(frozen=True)
class Program:
    """A file of an unpacked package, and its path in the guest; both relative to the root."""

    source: str
    target: str


@dataclass(frozen=True)
class Driver:
    """A module that the bench needs unless the configuration symbol `option` is `y`."""

    module: str
    option: str
    required: bool


@dataclass(frozen=True)
class Recipe:
    """The recipe: Debian's `packages`, which have the `programs`; `entries` are the files that every guest has."""

    packages: tuple[str, ...]
    programs: tuple[Program, ...]
    drivers: tuple[Driver, ...]
    disk_drivers: tuple[Driver, ...]
    """What a guest with disks needs besides."""
    entries: Mapping[str, Entry]


@cache
def recipe() -> Recipe:
    """The recipe of this version of the bench, including `images/init`."""
    images = resources.folder("images")
    table = tomllib.loads((images / "guestroot.toml").read_text())
    return Recipe(
        packages=tuple(row["name"] for row in table["package"]),
        programs=tuple(Program(row["source"], row["target"]) for row in table["program"]),
        drivers=_drivers(table["driver"]),
        disk_drivers=_drivers(table["disk_driver"]),
        entries={
            **{name: cpio.regular(row["text"].encode()) for name, row in table["file"].items()},
            **{name: cpio.directory(row.get("mode", 0o755)) for name, row in table["folder"].items()},
            **{name: cpio.symlink(row["to"]) for name, row in table["link"].items()},
            **{name: cpio.character_device(tuple(row["number"]), row["mode"]) for name, row in table["device"].items()},
            "etc/settings": cpio.regular(_lines(f"{row['name']} {row['value']}" for row in table["setting"])),
            "init": cpio.regular((images / "init").read_bytes(), 0o755),
        },
    )


def _drivers(rows: Iterable[Mapping[str, Any]]) -> tuple[Driver, ...]:
    return tuple(Driver(row["module"], row["option"], row["required"]) for row in rows)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
