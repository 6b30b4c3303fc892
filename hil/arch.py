"""The architectures we know, as data from `images/architectures.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache

from hil import resources
from hil.errors import UserError


@dataclass(frozen=True)
class Architecture:
    """One architecture; the fields are explained where their values are, in `images/architectures.toml`."""

    name: str
    debian: str
    elf_machine: str
    host_machines: tuple[str, ...]
    qemu: str
    qemu_package: str
    gcc: str
    gcc_package: str
    machine: str
    cpu: str
    console: str
    early_console: str
    pci_host: str
    gdb_architecture: str

    def __str__(self) -> str:
        return self.name


@cache
def architectures() -> dict[str, Architecture]:
    """Every architecture by name, in the order of the file."""
    table = tomllib.loads((resources.folder("images") / "architectures.toml").read_text())
    return {
        name: Architecture(name=name, **{**row, "host_machines": tuple(row["host_machines"])})
        for name, row in table.items()
    }


def architecture(name: str) -> Architecture:
    """The architecture called `name`; UserError when there is none."""
    try:
        return architectures()[name]
    except KeyError:
        known = ", ".join(architectures())
        raise UserError(f"unknown architecture {name!r}", remedy=f"choose one of: {known}") from None
