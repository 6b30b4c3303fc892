# SPDX-License-Identifier: MIT
"""Point releases that patterns of lanes ask for: debian-12@6.1.170, debian-13@6.12.9*/arm64."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from harness.lane import Lane, all_lanes, select
from hil.arch import Architecture, architectures_with
from hil.errors import UserError
from hil.kernels import catalogue, store
from hil.kernels.catalogue import POINT, Debian
from hil.kernels.points import find, points


def asked_for(patterns: Iterable[str]) -> tuple[Lane, ...]:
    """Returns the lanes of each.

    A pattern with wildcards is held against all that Debian's archive has whole, one without needs nothing of it if the
    kernel is at hand. UserError for a version that no architecture has; BenchError when the archive cannot be asked.
    """
    found: dict[Lane, None] = {}
    for pattern in patterns:
        kernel, _, rest = pattern.partition("/")
        if POINT not in kernel:
            continue
        archs = rest.partition("/")[0] or "*"
        many = any(letter in kernel for letter in "*?[")
        there = all_lanes(_matching(kernel, archs) if many else _there(kernel, archs))
        if there:
            found |= dict.fromkeys(select([pattern], there))
    return tuple(found)


def _matching(pattern: str, archs: str) -> Iterator[tuple[str, str]]:
    for known in catalogue.entries().values():
        if isinstance(known.source, Debian) and fnmatchcase(known.name, catalogue.kernel_of(pattern)):
            for arch in _architectures(known.name, archs):
                whole = (one.name for one in points(known, arch) if not one.lacking)
                yield from ((name, arch.name) for name in whole if fnmatchcase(name, pattern))


def _there(name: str, archs: str) -> list[tuple[str, str]]:
    """Returns the architectures that have that one."""
    known = catalogue.find(name)
    if known is None or not isinstance(known.source, Debian):
        return []  # no kernel of the catalogue; whoever selects says so
    there, lacking = [], []
    for arch in _architectures(catalogue.kernel_of(name), archs):
        try:
            if not store.location(name, arch).is_dir():
                find(known, known.source, arch)
            there.append((name, arch.name))
        except UserError as error:
            lacking.append(error)
    if lacking and not there:
        raise lacking[0]
    return there


def _architectures(kernel: str, archs: str) -> list[Architecture]:
    """The architectures that match a pattern and have a kernel of the catalogue."""
    return [arch for arch in architectures_with(kernel) if fnmatchcase(arch.name, archs)]
