# SPDX-License-Identifier: MIT
"""The kernels a lane can name, as data from `images/catalogue.toml`, and the releases they are judged as."""

from __future__ import annotations

import math
import re
import tomllib
from dataclasses import dataclass, replace
from functools import cache

from hil import resources
from hil.arch import Architecture, having
from hil.errors import UserError

POINT = "@"
"""Between a kernel's name and the version of one of its point releases."""
_VERSION = re.compile(r"\d+\.\d+\.\d+[a-z0-9.+~-]*", re.ASCII)
"""An upstream version, and Debian's revision of it, if that is meant, too: 6.12.90, 6.12.90-1, 6.12.90-1~bpo12+1."""


@dataclass(frozen=True)
class Debian:
    """A kernel from Debian's archive: the flavour's metapackage in one suite. `backports` is the suite that has further
    series for the same release, and kernels by version only; empty when there is none."""

    suite: str
    package: str
    backports: str = ""

    def metapackage(self, arch: Architecture) -> str:
        return self.package.format(flavour=arch.flavour)

    @property
    def suites(self) -> tuple[str, ...]:
        """Where kernels by version are looked for, in this order."""
        return tuple(filter(None, (self.suite, self.backports)))

    def images(self, arch: Architecture, series: str) -> re.Pattern[str]:
        """Names of the flavour's image packages of one series, whatever their ABI: linux-image-6.1.0-56-cloud-amd64."""
        before, _, behind = map(re.escape, self.package.partition("{flavour}"))
        numbered = re.escape(series) if series else r"[0-9]+\.[0-9]+"
        return re.compile(rf"{before}{numbered}\.[^-]+(-[0-9][^-]*)?-{re.escape(arch.flavour)}{behind}")

    def __str__(self) -> str:
        return f"Debian {self.suite}"


@dataclass(frozen=True)
class Tarball:
    """A kernel's sources, by address and sha256."""

    url: str
    sha256: str

    def __str__(self) -> str:
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Entry:
    """One kernel of the catalogue, for every architecture that is not without it. `series` ("6.1") is empty when any
    may come, `version` ("6.1.170") is that of a point release, and empty where the newest is meant."""

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


def check_offered(name: str, arch: Architecture) -> None:
    """UserError when the kernel called `name` is one that there is for other architectures only."""
    if why := arch.lacks(name):
        raise UserError(
            f"there is no {name} for {arch}: {why}",
            remedy=f"choose {' or '.join(map(str, having(name)))}, or another name",
        )


def row(name: str) -> str:
    """Of which kernel of the catalogue `name` is a point release, or the name itself."""
    return name.partition(POINT)[0]


def entry(name: str) -> Entry:
    """As `find`; UserError when the catalogue has none."""
    if known := find(name):
        return known
    raise UserError(
        f"there is no kernel {name!r}",
        remedy=f"choose one of {', '.join(entries())}, or import your own under that name with `hil kernels import`",
    )


def find(name: str) -> Entry | None:
    """The kernel called `name`, which may be a point release of one of the file: debian-12@6.1.170. None when there is
    no such row; UserError for a version of a kernel that comes in one only, and for what is no version.

    A release behind the last with rules is judged by those of the last.
    """
    kernel, at, version = name.partition(POINT)
    known = entries().get(kernel)
    if known is None or not at:
        return known
    if not isinstance(known.source, Debian):
        raise UserError(f"{kernel} is one kernel, which has no point releases", remedy=f"write {kernel}, not {name}")
    if not _VERSION.fullmatch(version):
        raise UserError(
            f"{name!r} names no version", remedy=f"write {kernel}@X.Y.Z; hil kernels list {kernel} --all has them"
        )
    newer = numbers(version) > (*numbers(eras()[-1]), math.inf)
    return replace(known, name=name, era=eras()[-1] if newer else era_of(version), series="", version=version)


def eras() -> tuple[str, ...]:
    """The eras of the catalogue, oldest first."""
    return tuple(sorted({known.era for known in entries().values()}, key=numbers))


def era_of(version: str) -> str:
    """The era of a kernel such as "5.15.3": its release, "5.15".

    UserError before the first release of the catalogue and behind the last, since nothing is known there.
    """
    own, first, last = numbers(version)[:2], eras()[0], eras()[-1]
    if own < numbers(first):
        raise UserError(
            f"Linux {version} is older than {first}, the first release with rules to judge it by",
            remedy=f"use a later kernel; one that has the changes of {first} can be judged by its rules: --as {first}",
        )
    if own > numbers(last):
        raise UserError(
            f"Linux {version} is newer than {last}, the last release with rules to judge it by",
            remedy=f"have it judged by the rules of the nearest: --as {last}",
        )
    return ".".join(map(str, own))


def numbers(version: str) -> tuple[int, ...]:
    """The numbers a version or release begins with: (6, 1, 192) of "6.1.192-2"."""
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
