# SPDX-License-Identifier: MIT
"""The recipe to build a kernel of the catalogue, as data from `images/kernels/<name>`: its options and toolchain."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from hil import resources
from hil.arch import Architecture, entry
from hil.errors import UserError
from hil.kernels.building.options import Option


@dataclass(frozen=True)
class Program:
    """A program that the build runs, and the Debian package that has it."""

    name: str
    package: str


@dataclass(frozen=True)
class Recipe:
    """The recipe of one kernel for one architecture; the recipe's files explain the fields beside their values.

    `make_arch` is make's ARCH, `image` a path in the tree, `room` the space needed in bytes. `impossible` are options
    that the kernel cannot have on this architecture, each with the reason.
    """

    options: tuple[Option, ...]
    impossible: dict[str, str]
    make_arch: str
    defconfig: str
    image: PurePosixPath
    flags: dict[str, tuple[str, ...]]
    programs: tuple[Program, ...]
    gcc: tuple[int, ...]
    room: int


def load(name: str, arch: Architecture) -> Recipe:
    """The recipe of the kernel `name`; raises UserError when there is none."""
    folder = resources.folder("images") / "kernels" / name
    if not folder.is_dir():
        raise UserError(f"there is no recipe to build {name}", remedy="see `hil kernels list` for where it comes from")
    groups = [group for group in tomllib.loads((folder / "options.toml").read_text())["group"] if _applies(group, arch)]
    toolchain = tomllib.loads((folder / "toolchain.toml").read_text())
    target = entry(toolchain["architecture"], arch.name, f"images/kernels/{name}/toolchain.toml")
    return Recipe(
        options=tuple(
            Option(option, value)
            for group in groups
            if arch.name not in group.get("impossible", {})
            for option, value in group["set"].items()
        ),
        impossible={
            option: group["impossible"][arch.name]
            for group in groups
            if arch.name in group.get("impossible", {})
            for option in group["set"]
        },
        make_arch=target["ARCH"],
        defconfig=target["defconfig"],
        image=PurePosixPath(target["image"]),
        flags={tool: tuple(_flags(toolchain["flag"], tool, arch)) for tool in ("CC", "HOSTCC")},
        programs=tuple(Program(row["program"], row["package"]) for row in toolchain["program"]),
        gcc=tuple(toolchain["gcc"]),
        room=toolchain["room"],
    )


def _flags(rows: list[dict[str, Any]], tool: str, arch: Architecture) -> Iterable[str]:
    return (row["flag"] for row in rows if row["for"] == tool and _applies(row, arch))


def _applies(row: dict[str, Any], arch: Architecture) -> bool:
    return arch.name in row.get("architectures", [arch.name])
