# SPDX-License-Identifier: MIT
"""The kernels that a lane can name, as data from `images/catalogue.toml`, and the releases they are judged as."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache

from hil import resources
from hil.arch import Architecture, architectures_with
from hil.errors import UserError
from hil.nearest import meant

DEFAULT = "debian-12"
"""The kernel that commands run on where none is named."""
POINT = "@"
"""Separates a kernel's name from the version of one of its point releases."""
_VERSION = re.compile(r"\d+\.\d+\.\d+[a-z0-9.+~-]*", re.ASCII)
"""An upstream version, optionally with Debian's revision: 6.12.90, 6.12.90-1, 6.12.90-1~bpo12+1."""


@dataclass(frozen=True)
class Debian:
    """A kernel from Debian's archive: the flavour's metapackage in one suite. `backports` is a suite with further
    series for the same release, used for kernels by version only; empty when there is none."""

    suite: str
    package: str
    backports: str = ""

    def metapackage(self, arch: Architecture) -> str:
        return self.package.format(flavour=arch.flavour)

    @property
    def suites(self) -> tuple[str, ...]:
        """The suites in which kernels by version are looked up, in this order."""
        return tuple(filter(None, (self.suite, self.backports)))

    def images(self, arch: Architecture, series: str) -> re.Pattern[str]:
        """A pattern for the flavour's image packages of one series with any ABI: linux-image-6.1.0-56-cloud-amd64."""
        before, _, behind = map(re.escape, self.package.partition("{flavour}"))
        numbered = re.escape(series) if series else r"[0-9]+\.[0-9]+"
        return re.compile(rf"{before}{numbered}\.[^-]+(-[0-9][^-]*)?-{re.escape(arch.flavour)}{behind}")

    def __str__(self) -> str:
        return f"Debian {self.suite}"


@dataclass(frozen=True)
class Tarball:
    """The sources of a kernel by URL and sha256."""

    url: str
    sha256: str

    def __str__(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Entry:
    """One kernel of the catalogue, for every architecture that has it. `series` ("6.1") is empty when any series is
    accepted; `version` ("6.1.170") is that of a point release, empty for the newest."""

    name: str
    era: str
    series: str
    source: Debian | Tarball
    version: str = ""


@cache
def entries() -> dict[str, Entry]:
    """Every kernel of the catalogue by name, in the order of the file."""
    table = tomllib.loads((resources.folder("images") / "catalogue.toml").read_text())
    return {name: _entry(name, row) for name, row in table.items()}


def check_exists(name: str, arch: Architecture) -> None:
    """Raise UserError when the kernel `name` exists for other architectures only."""
    if why := arch.lacks(name):
        raise UserError(
            f"there is no {name} for {arch}: {why}",
            remedy=f"choose {' or '.join(map(str, architectures_with(name)))}, or another name",
        )


def kernel_of(name: str) -> str:
    """The kernel of the catalogue that `name` is a point release of, or `name` itself."""
    return name.partition(POINT)[0]


def entry(name: str) -> Entry:
    """The kernel called `name`, as in `find`; raises UserError when the catalogue has none."""
    if known := find(name):
        return known
    like = meant(name, entries())
    raise UserError(
        f"there is no kernel {name!r}{f'; {like}' if like else ''}",
        remedy=f"choose one of {', '.join(entries())}, or import your own under that name with `hil kernels import`",
    )


def find(name: str) -> Entry | None:
    """The kernel called `name`, which may be a point release (debian-12@6.1.170); None when the catalogue has none.

    Raises UserError when the kernel has no point releases, or the text after the @ is no version. A release newer than
    the last one with rules is judged by the rules of the last.
    """
    kernel, at, version = name.partition(POINT)
    known = entries().get(kernel)
    if known is None or not at:
        return known
    if not isinstance(known.source, Debian):
        raise UserError(f"{kernel} is one kernel, which has no point releases", remedy=f"write {kernel}, not {name}")
    if not _VERSION.fullmatch(version):
        raise UserError(
            f"{name!r} names no version", remedy=f"write {kernel}@X.Y.Z; hil kernels list {kernel} --all lists them"
        )
    newer = numbers(version) > (*numbers(eras()[-1]), math.inf)
    return replace(known, name=name, era=eras()[-1] if newer else era_of(version), series="", version=version)


def eras() -> tuple[str, ...]:
    """The eras of the catalogue, oldest first."""
    return tuple(sorted({known.era for known in entries().values()}, key=numbers))


def era_of(version: str) -> str:
    """The era of a kernel such as "5.15.3": its release, "5.15".

    Raises UserError for a release older than the first or newer than the last of the catalogue, for which no rules are
    known.
    """
    own, first, last = numbers(version)[:2], eras()[0], eras()[-1]
    if own < numbers(first):
        raise UserError(
            f"Linux {version} is older than {first}, the first release with rules to judge it by",
            remedy=f"use a later kernel, or judge one that has the changes of {first} by its rules: --as {first}",
        )
    if own > numbers(last):
        raise UserError(
            f"Linux {version} is newer than {last}, the last release with rules to judge it by",
            remedy=f"judge it by the rules of the nearest: --as {last}",
        )
    return ".".join(map(str, own))


def numbers(version: str) -> tuple[int, ...]:
    """The numbers that a version or release begins with: (6, 1, 192) for "6.1.192-2"; raises ValueError when there are
    none."""
    match = re.match(r"\d+(\.\d+)*", version)
    if not match:
        raise ValueError(f"no version number in {version!r}")
    return tuple(map(int, match[0].split(".")))


def _entry(name: str, row: dict[str, str]) -> Entry:
    source: Debian | Tarball
    match row["source"]:
        case "debian":
            source = Debian(row["suite"], row["package"], row.get("backports", ""))
        case "tarball":
            source = Tarball(row["url"], row["sha256"])
        case other:
            raise ValueError(f"images/catalogue.toml: {name} has the unknown source {other!r}")
    return Entry(name, row["era"], row.get("series", ""), source)
