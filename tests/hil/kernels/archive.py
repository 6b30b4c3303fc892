# SPDX-License-Identifier: MIT
"""An archive in memory, instead of `Apt`: suites with their packages, and the files that the mirror has."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pytest

from hil.arch import Architecture
from hil.debian import package
from hil.debian.package import Package
from hil.errors import BenchError
from hil.kernels import points

SUITES = {
    "bookworm": [
        ("linux-image-6.1.0-47-cloud-arm64", "6.1.170-3"),
        ("linux-image-6.1.0-45-cloud-arm64", "6.1.170-1"),
        ("linux-image-6.1.0-56-cloud-arm64", "6.1.192-2"),
        ("linux-image-6.12.100+deb12-cloud-arm64", "6.12.100-1~deb12u1"),
        ("linux-image-cloud-arm64", "6.1.192-2"),
        ("linux-image-6.1.0-56-arm64", "6.1.192-2"),
    ],
    "bookworm-backports": [
        ("linux-image-6.12.43+deb12-cloud-arm64", "6.12.43-1~bpo12+1"),
        ("linux-image-6.12.100+deb12-cloud-arm64", "6.12.100-1~bpo12+1"),
    ],
    "bullseye": [
        ("linux-image-5.10.0-46-cloud-arm64", "5.10.262-1"),
        ("linux-image-6.1.0-0.deb11.48-cloud-arm64", "6.1.172-1~deb11u1"),
    ],
    "trixie": [("linux-image-6.12.107+deb13-cloud-arm64", "6.12.107-1")],
    "trixie-backports": [("linux-image-7.3.4+deb13-cloud-arm64", "7.3.4-1~bpo13+1")],
    "sid": [("linux-image-7.2.13+deb14-cloud-arm64", "7.2.13-1")],
}


class Archive:
    """One suite for one architecture."""

    def __init__(self, suite: str, arch: Architecture, rows: Sequence[tuple[str, str]] | None) -> None:
        self.suite, self.arch = suite, arch
        self._rows = rows

    def matching(self, pattern: re.Pattern[str]) -> list[Package]:
        if self._rows is None:
            raise BenchError(f"cannot fetch the package lists of {self.suite}")
        return package.newest_first(
            self._package(name, version)
            for name, version in self._rows
            if pattern.fullmatch(self._package(name, version).name)
        )

    def names(self) -> frozenset[str]:
        return frozenset(self._package(*row).name for row in self._rows or ())

    def suites_of(self, packages: Sequence[Package]) -> dict[Package, tuple[str, ...]]:
        return dict.fromkeys(packages, (self.suite,))

    def _package(self, name: str, version: str) -> Package:
        blank = Package(name, version, "arm64", f"pool/{name}_{version}.deb", 1, f"sha256 of {version}")
        if self.arch.name == "arm64":
            return blank
        return replace(blank, name=name.replace("arm64", self.arch.debian), sha256=f"sha256 of {version} {self.arch}")


@pytest.fixture
def debian_archive(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[str, str]] | None]:
    """Suites as in `SUITES`, which a test may change; None for a suite that cannot be read."""
    suites: dict[str, list[tuple[str, str]] | None] = dict(SUITES)
    serve_from(suites, monkeypatch)
    return suites


def serve_from(suites: Mapping[str, Sequence[tuple[str, str]] | None], monkeypatch: pytest.MonkeyPatch) -> None:
    def apt(suite: str, arch: Architecture, *, notify: Callable[[str], None]) -> Archive:
        return Archive(suite, arch, suites[suite])

    monkeypatch.setattr(points, "Apt", apt)
