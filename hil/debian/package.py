# SPDX-License-Identifier: MIT
"""One version of one package, as a package index describes it (deb-control(5))."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_DEPENDENCY = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?::\w+)?"
    r"(?:\s*\((?P<relation>[<>=]+)\s*(?P<version>[^)\s]+)\))?"
)


@dataclass(frozen=True)
class Dependency:
    """One clause of Depends; of alternatives ("a | b") the first, which is the one that Debian builds with."""

    name: str
    relation: str
    version: str


@dataclass(frozen=True)
class Package:
    """One version of one package; `size` in bytes, and `sha256`, of the .deb; `installed`, what it takes unpacked, in
    bytes, 0 where the index does not say."""

    name: str
    version: str
    architecture: str
    filename: str
    size: int
    sha256: str
    depends: tuple[Dependency, ...] = ()
    installed: int = 0

    @property
    def upstream(self) -> str:
        """The version without Debian's epoch and revision: "6.1.192" of "6.1.192-2", see deb-version(7)."""
        without_epoch = self.version.rpartition(":")[2]
        return without_epoch.rpartition("-")[0] or without_epoch

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.architecture})"


def parse(index: str) -> list[Package]:
    """The packages in the text of an index, in its order; a package that is in several indexes is returned once."""
    found: dict[tuple[str, str], Package] = {}
    for fields in _stanzas(index):
        if "Filename" not in fields:  # installed on a host, but in no archive
            continue
        package = Package(
            name=fields["Package"],
            version=fields["Version"],
            architecture=fields["Architecture"],
            filename=fields["Filename"],
            size=int(fields["Size"]),
            sha256=fields["SHA256"],
            depends=tuple(_dependencies(", ".join(filter(None, (fields.get("Pre-Depends"), fields.get("Depends")))))),
            installed=int(fields.get("Installed-Size", "0")) << 10,
        )
        found.setdefault((package.name, package.version), package)
    return list(found.values())


def newest_first(packages: Iterable[Package]) -> list[Package]:
    """The packages sorted by version as dpkg compares them (not as strings), newest first, then by name."""

    def compare(left: Package, right: Package) -> int:
        if left.version != right.version:
            return -1 if _later(left.version, right.version) else 1
        return (left.name < right.name) - (left.name > right.name)

    return sorted(packages, key=functools.cmp_to_key(compare))


@functools.cache
def _later(left: str, right: str) -> bool:
    return subprocess.run(["dpkg", "--compare-versions", left, "gt", right], check=False).returncode == 0


def _stanzas(text: str) -> Iterator[dict[str, str]]:
    """The fields of each stanza, without continuation lines, which are not needed here."""
    for stanza in re.split(r"\n{2,}", text.strip()):
        yield dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE))


def _dependencies(field: str) -> Iterator[Dependency]:
    for clause in field.split(","):
        if match := _DEPENDENCY.match(clause.strip()):
            yield Dependency(match["name"], match["relation"] or "", match["version"] or "")
