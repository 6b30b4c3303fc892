# SPDX-License-Identifier: MIT
"""Reads a kernel's configuration (.config)."""

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
    """The kernel that a configuration is for. `version` is the upstream version ("4.1.52"), empty when the file has no
    header; `arch` is the name in images/architectures.toml."""

    version: str
    arch: str


def read(path: Path) -> Configuration:
    """Read a .config; raises UserError when it is not a configuration for an architecture of
    images/architectures.toml."""
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
    """The values of the options that a .config sets, by name with CONFIG_; options that are off are missing."""
    return dict(_SET.findall(config))


def options_of(path: Path) -> Mapping[str, str]:
    """The options of a file in the cache, as in `options`; raises Damaged or Unusable when it cannot be read."""
    with cache.reading(path):
        return options(path.read_text(errors="replace"))
