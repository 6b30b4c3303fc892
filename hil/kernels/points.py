# SPDX-License-Identifier: MIT
"""Kernels by version: the point releases of a flavour that Debian's archive has besides the newest."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from hil.arch import Architecture
from hil.debian.apt import Apt
from hil.debian.package import Dependency, Package
from hil.errors import BenchError, UserError
from hil.kernels import catalogue
from hil.kernels.catalogue import POINT, Debian, Entry

Notify = Callable[[str], None]


@dataclass(frozen=True)
class Point:
    """One point release. `name` is its name in lanes ("debian-13@6.12.90"), `image` its package, `archive` the archive
    that has it and `suites` the suites of that archive whose indices name it."""

    name: str
    archive: Apt
    image: Package
    suites: tuple[str, ...]
    lacking: tuple[str, ...] = ()
    """The names of packages that the kernel needs and that the archive no longer has."""

    @property
    def kernel(self) -> str:
        """The kernel of the catalogue that it is a point release of."""
        return catalogue.kernel_of(self.name)

    @property
    def spellings(self) -> tuple[str, ...]:
        """The ways to write its version, shortest first."""
        return spellings(self.image)

    @property
    def arch(self) -> Architecture:
        return self.archive.arch


def points(known: Entry, arch: Architecture, notify: Notify = lambda _: None) -> list[Point]:
    """Every point release of `known` that its suites have for `arch`, oldest first.

    A suite that cannot be read is left out, with its error passed to `notify`; raises BenchError when none can be read.
    Raises UserError when the kernel does not come from Debian's archive.
    """
    if not isinstance(known.source, Debian):
        raise UserError(f"{known.name} comes in one version only", remedy="name a kernel of Debian's archive")
    images: list[tuple[Apt, Package]] = []
    faults = []
    for suite in known.source.suites:
        try:
            images += _images(Apt(suite, arch, notify=notify), known.source)
        except BenchError as error:
            faults.append(error)
            notify(str(error))
    if faults and not images:
        raise faults[0]
    return sorted(_named(known, images), key=lambda point: order(point.image.version))


def find(known: Entry, source: Debian, arch: Architecture, notify: Notify = lambda _: None) -> Point:
    """The kernel of `known.version`, of several revisions the newest.

    Raises UserError, which names the nearest, when the suites have none, or no longer have all of its packages; raises
    BenchError when one of them cannot be read and no other has it.
    """
    seen: list[tuple[Apt, Package]] = []
    faults = []
    for suite in source.suites:
        try:
            images = list(_images(Apt(suite, arch, notify=notify), source))
        except BenchError as error:
            faults.append(error)
            continue
        for archive, image in images:
            if known.version in spellings(image):
                return _whole(Point(known.name, archive, image, (), _lacking(image, archive.names())))
        seen += images
    if faults:
        raise faults[0]
    versions = {image.upstream: f"{catalogue.kernel_of(known.name)}{POINT}{image.upstream}" for _, image in seen}
    raise UserError(
        f"Debian's archive has no Linux {known.version} for {catalogue.kernel_of(known.name)}/{arch}",
        remedy=f"{nearest(known.version, versions)}; {how_to_list(known)}",
    )


def pieces(image: Package) -> tuple[Dependency, ...]:
    """The dependencies of an image on packages of its source with parts of the kernel: none before 6.19; since then the
    image is empty and depends on those with the configuration, the image itself and the modules."""
    exact = tuple(one for one in image.depends if (one.relation, one.version) == ("=", image.version))
    return exact if any(one.name.startswith("linux-modules-") for one in exact) else ()


def _lacking(image: Package, names: Collection[str]) -> tuple[str, ...]:
    return tuple(one.name for one in pieces(image) if one.name not in names)


def _whole(point: Point) -> Point:
    if point.lacking:
        raise UserError(
            f"Debian's archive no longer has all of {point.name}/{point.arch}: it lacks {', '.join(point.lacking)}",
            remedy=f"choose another one; {how_to_list(catalogue.entry(point.kernel))}",
        )
    return point


def how_to_list(known: Entry) -> str:
    """The text of an error's remedy on how to list the versions of a kernel."""
    return f"hil kernels list {catalogue.kernel_of(known.name)} --all lists all versions"


def order(version: str) -> tuple[tuple[int, ...], tuple[int, ...], str]:
    """The key to sort versions of kernels: first by the upstream version, then by Debian's revision."""
    upstream, _, revision = version.partition("-")
    return catalogue.numbers(upstream), catalogue.numbers(revision) if revision[:1].isdigit() else (), revision


def _images(archive: Apt, source: Debian) -> Iterator[tuple[Apt, Package]]:
    """Yield the flavour's image packages of every series, newest first."""
    return ((archive, image) for image in archive.matching(source.images(archive.arch, "")))


def _named(known: Entry, images: list[tuple[Apt, Package]]) -> Iterator[Point]:
    """Yield each as a Point under the shortest name by which `find` finds it."""
    suites: dict[Package, tuple[str, ...]] = {}
    for archive in dict.fromkeys(by for by, _ in images):
        suites |= archive.suites_of([one for by, one in images if by is archive])
    names = {archive: archive.names() for archive in dict.fromkeys(by for by, image in images if pieces(image))}
    taken: set[str] = set()
    for archive, image in images:
        spelling = next((one for one in spellings(image) if one not in taken), "")
        taken |= set(spellings(image))
        if spelling:
            yield Point(
                f"{known.name}{POINT}{spelling}", archive, image, suites[image], _lacking(image, names.get(archive, ()))
            )


def spellings(image: Package) -> tuple[str, ...]:
    """The ways to write the version of a package, shortest first: 6.12.90, 6.12.90-1, 6.12.90-1~bpo12+1."""
    return tuple(dict.fromkeys((image.upstream, image.version.partition("~")[0], image.version)))


def nearest(version: str, names: Mapping[str, str]) -> str:
    """The text that names the nearest versions below and above one that does not exist; `names` are by version."""
    ranked = sorted(names, key=order)
    below = [one for one in ranked if order(one) < order(version)][-1:]
    above = [one for one in ranked if order(one) > order(version)][:1]
    near = " and ".join(names[one] for one in (*below, *above))
    return f"the nearest: {near}" if near else "there are none at all"
