# SPDX-License-Identifier: MIT
"""One kernel for one architecture, ready to boot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hil.arch import Architecture
from hil.kernels.distributions import Distribution


@dataclass(frozen=True)
class Kernel:
    """A kernel in the cache; every path is below `folder` and read-only.

    `release` is the output of uname -r ("6.1.0-56-cloud-amd64"), `version` the upstream version ("6.1.192"), `era` the
    release whose rules it is judged by ("6.1"). `distribution` is the one that was recorded at the import, None when it
    is detected from the configuration. `modules` is the folder that holds lib/modules/<release>, as for depmod
    --basedir. `provenance` has the packages or files that the kernel came from, with hashes, and when.
    """

    name: str
    arch: Architecture
    folder: Path
    image: Path
    config: Path
    modules: Path | None
    vmlinux: Path | None
    system_map: Path | None
    release: str
    version: str
    era: str
    provenance: Mapping[str, Any]
    distribution: Distribution | None = None

    def __str__(self) -> str:
        return f"{self.name}/{self.arch}"

    @property
    def version_code(self) -> int:
        """LINUX_VERSION_CODE."""
        return version_code(self.version)


def version_code(version: str) -> int:
    """Returns the LINUX_VERSION_CODE of "6.1.192", or of "6.1" for "6.1.0", in which a sublevel above 255 counts as
    255 (the top Makefile); raises ValueError for what is no version."""
    major, minor, sublevel = (int(part) for part in [*version.split("."), "0"][:3])
    return major << 16 | minor << 8 | min(sublevel, 255)
