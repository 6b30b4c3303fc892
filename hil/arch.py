# SPDX-License-Identifier: MIT
"""The architectures that the bench supports, as data from `images/architectures.toml`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, TypeVar

from hil import resources
from hil.errors import UserError
from hil.nearest import nearest

T = TypeVar("T")


@dataclass(frozen=True)
class Architecture:
    """One architecture; `images/architectures.toml` explains the fields beside their values."""

    name: str
    debian: str
    elf_machine: str
    host_machines: tuple[str, ...]
    kvm_flags: tuple[str, ...]
    qemu: str
    qemu_package: str
    gcc: str
    gcc_package: str
    machine: str
    cpu: str
    console: str
    pci_host: str
    gdb_architecture: str
    config: str
    image: str
    image_magic: str
    pe_machine: int
    late_cpus_since: str
    flavour: str
    userland: str
    always_booted: str
    without: Mapping[str, str] = field(hash=False)

    def lacks(self, kernel: str) -> str:
        """The reason why a kernel of the catalogue does not exist for this architecture; empty when it does. A point
        release, written with an @ (`hil.kernels.catalogue.POINT`), exists where its kernel does."""
        return self.without.get(kernel.partition("@")[0], "")

    def __str__(self) -> str:
        return self.name


def entry(table: Mapping[str, T], architecture: str, file: str) -> T:
    """The entry of `table`, which is in `file`, for an architecture; raises UserError when it has none."""
    try:
        return table[architecture]
    except KeyError:
        raise UserError(
            f"{file} has no entry for the architecture {architecture}", remedy=f"add one beside {', '.join(table)}"
        ) from None


@cache
def architectures() -> dict[str, Architecture]:
    """Every architecture by name, in the order of the file."""
    table = tomllib.loads((resources.folder("images") / "architectures.toml").read_text())
    return {name: _architecture(name, given) for name, given in table.items()}


def _architecture(name: str, given: dict[str, Any]) -> Architecture:
    wanted = {one.name for one in fields(Architecture)} - {"name"}
    for what, names in (("lacks", wanted - given.keys()), ("has unknown fields:", given.keys() - wanted)):
        if names:
            raise UserError(
                f"images/architectures.toml: [{name}] {what} {', '.join(sorted(names))}",
                remedy="give it the same fields as the other tables there",
            )
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    return Architecture(name=name, **values)


def architectures_with(kernel: str) -> tuple[Architecture, ...]:
    """The architectures that `kernel` exists for; all of them for a kernel that is not in the catalogue."""
    return tuple(arch for arch in architectures().values() if not arch.lacks(kernel))


def architecture(name: str) -> Architecture:
    """The architecture called `name`; raises UserError when there is none."""
    try:
        return architectures()[name]
    except KeyError:
        raise UserError(f"unknown architecture {name!r}", remedy=nearest(name, architectures())) from None
