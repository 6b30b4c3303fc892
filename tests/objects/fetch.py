# SPDX-License-Identifier: MIT
"""Packages by name and suite, unpacked into the cache by the project's own client of Debian's archive."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hil import cache, directories
from hil.arch import architecture
from hil.debian.apt import Apt, PackageGone, unpack
from tests.objects.packages import Wanted


@dataclass(frozen=True)
class Unpacked:
    """The files of one version of one package, below `folder`."""

    name: str
    version: str
    arch: str
    folder: Path

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.arch}"


def fetch(wanted: Wanted, notify: Callable[[str], None]) -> Iterator[Unpacked]:
    """The newest version of each suite, each once; `notify` is told what is fetched, and what the mirror has not."""
    seen: set[str] = set()
    for arch in wanted.architectures:
        for suite in wanted.suites:
            apt = Apt(suite, architecture(arch), notify=notify)
            package = apt.resolve(wanted.name)[0]
            if package.sha256 in seen:
                continue
            seen.add(package.sha256)
            folder = directories.cache() / "objects" / f"{package.name}_{package.version}_{package.architecture}"
            if not folder.exists():
                try:
                    _unpack(apt.download(package), folder)
                except PackageGone as error:
                    notify(str(error))
                    continue
                apt.discard(package)
            yield Unpacked(package.name, package.version, package.architecture, folder)


def _unpack(deb: Path, folder: Path) -> None:
    """All or nothing."""
    with cache.writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as new:
            unpack(deb, Path(new) / "files")
            if not folder.exists():
                shutil.move(Path(new) / "files", folder)
