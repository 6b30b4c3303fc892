# SPDX-License-Identifier: MIT
"""What a kernel's configuration (.config) says of the kernel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hil import cache
from hil.arch import architectures
from hil.errors import UserError

# scripts/kconfig writes "# Linux/x86 4.1.52 Kernel Configuration"; the name is SRCARCH, the same for 32 and 64 bits.
_HEADER = re.compile(r"^# Linux/\w+ (?P<version>\d+\.\d+\S*) Kernel Configuration$", re.MULTILINE)
# scripts/kconfig/confdata.c: an option that is off is a comment, one that cannot be chosen is not mentioned.
_SET = re.compile(r"^(CONFIG_\w+)=(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Configuration:
    """`version` is the upstream version ("4.1.52"), empty when the header was taken off; `arch` is our name."""

    version: str
    arch: str


def read(path: Path) -> Configuration:
    """UserError when it is no configuration of a kernel for an architecture we know."""
    text = path.read_text(errors="replace")
    lines = set(text.splitlines())
    arch = next((name for name, known in architectures().items() if f"{known.config}=y" in lines), None)
    if arch is None:
        raise UserError(
            f"{path} is no kernel configuration for {' or '.join(architectures())}",
            remedy="give the .config of the build",
        )
    header = _HEADER.search(text)
    return Configuration(header["version"] if header else "", arch)


def options(config: str) -> dict[str, str]:
    """The options a .config sets, by name with its CONFIG_; those that are off, or cannot be chosen, are missing."""
    return dict(_SET.findall(config))


def options_of(path: Path) -> Mapping[str, str]:
    """The same of a file in the cache."""
    with cache.reading(path):
        return options(path.read_text(errors="replace"))
