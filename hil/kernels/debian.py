# SPDX-License-Identifier: MIT
"""Fetches kernels from Debian's archive."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hil.arch import Architecture
from hil.debian import apt, mirror
from hil.debian.apt import Apt, PackageGone
from hil.debian.package import Package
from hil.errors import BenchError
from hil.kernels import entry, points
from hil.kernels.catalogue import Debian, Entry
from hil.kernels.entry import Parts

Notify = Callable[[str], None]

# Where packages have the parts: below /boot until 6.12; beside the modules, which are in /usr, since 7.x. The image's
# name ends with x where it is not compressed.
_IMAGES = ("boot/vmlinu[xz]-*", "usr/lib/modules/*/vmlinu[xz]")
_CONFIGS = ("boot/config-*", "usr/lib/modules/*/config")
_SYSTEM_MAPS = ("boot/System.map-*", "usr/lib/modules/*/System.map")
_MODULES = ("lib/modules/*", "usr/lib/modules/*")


def fill(folder: Path, known: Entry, source: Debian, arch: Architecture, notify: Notify) -> None:
    """Fill an empty folder with the kernel of `source` for `arch`: the version that `known` names, or the newest.

    Raises UserError when there is no such version; raises BenchError when the kernel cannot be fetched.
    """
    if known.version:
        _fill_with_point(folder, known, source, arch, notify)
    else:
        _fill_with_newest(folder, known, source, arch, notify)


def _fill_with_point(folder: Path, known: Entry, source: Debian, arch: Architecture, notify: Notify) -> None:
    point = points.find(known, source, arch, notify)
    try:
        debs, packages = _download(point.archive, point.image)
    except PackageGone as gone:
        raise PackageGone(gone.what, remedy=f"choose another one: {points.how_to_list(known)}") from gone
    _write(folder, known, point.archive, debs, packages, {})


def _fill_with_newest(folder: Path, known: Entry, source: Debian, arch: Architecture, notify: Notify) -> None:
    archive = Apt(source.suite, arch, notify=notify)
    metapackage = source.metapackage(arch)
    current, image = _current(archive, source, known.series, arch)
    try:
        debs, packages = _download(archive, image)
        notes = []
    except PackageGone as gone:
        notify(f"{gone.what}; looking for another version")
        archive.update(max_age=0)  # perhaps only our lists are out of date
        current, image = _current(archive, source, known.series, arch)
        debs, packages, dropped = _newest(archive, source, known.series, arch, notify)
        notes = [f"the mirror no longer has {missing}, which its index names" for missing in dropped]
    names = {"name": metapackage, "version": current.version, "names": image.name}
    _write(folder, known, archive, debs, packages, {"metapackage": names, "notes": notes})


def _write(
    folder: Path, known: Entry, archive: Apt, debs: list[Path], packages: list[Package], facts: Mapping[str, Any]
) -> None:
    """Fill the folder from packages, of which the image's is the first; `facts` are added to the provenance."""
    arch = archive.arch
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=folder) as scratch:
        tree = Path(scratch)
        for deb in debs:
            apt.unpack(deb, tree)
        parts, release = _parts(tree, packages[0])
        provenance = {
            "source": "debian",
            "suite": archive.suite,
            "archives": [mirror.without_password(uri) for uri in archive.uris],
            "packages": [
                {"name": item.name, "version": item.version, "file": item.filename, "sha256": item.sha256}
                for item in packages
            ],
            **facts,
            "fetched": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        entry.write(folder, known.name, arch, parts, release, packages[0].upstream, provenance)
    for item in packages:
        archive.discard(item)


def _current(archive: Apt, source: Debian, series: str, arch: Architecture) -> tuple[Package, Package]:
    """The current metapackage and the image package that it depends on."""
    metapackage = archive.resolve(source.metapackage(arch))[0]
    wanted = source.images(arch, series)
    for dependency in metapackage.depends:
        if wanted.fullmatch(dependency.name):
            versions = archive.resolve(dependency.name)
            return metapackage, next((item for item in versions if item.version == dependency.version), versions[0])
    raise BenchError(
        f"{metapackage} of Debian's {archive} depends on no package like {wanted.pattern}",
        remedy="the suite has another series now: adapt series and package in images/catalogue.toml",
    )


def _newest(
    archive: Apt, source: Debian, series: str, arch: Architecture, notify: Notify
) -> tuple[list[Path], list[Package], list[Package]]:
    """The newest image that the mirror has: its files, its packages, and newer image packages that are gone.

    An index can name files that have been removed, above all in the archive of a suite whose support has ended.
    """
    gone = []
    for image in archive.matching(source.images(arch, series)):
        try:
            debs, packages = _download(archive, image)
        except PackageGone:
            gone.append(image)
            continue
        notify(f"using {image}, the newest of Debian's {archive} that the mirror still has")
        return debs, packages, gone
    raise BenchError(
        f"the mirror has none of the {len(gone)} kernel images in the index of Debian's {archive}",
        remedy=f"set {mirror.ENVIRONMENT} to a mirror that is complete, or import a kernel with `hil kernels import`",
    )


def _download(archive: Apt, image: Package) -> tuple[list[Path], list[Package]]:
    packages = list(_pieces(archive, image))
    return [archive.download(item) for item in packages], packages


def _pieces(archive: Apt, image: Package) -> Iterator[Package]:
    """Yield the image package and those of its source that it depends on."""
    yield image
    for dependency in points.pieces(image):
        yield from (item for item in archive.resolve(dependency.name) if item.version == image.version)


def _parts(tree: Path, image: Package) -> tuple[Parts, str]:
    """The parts of a kernel in unpacked packages, and its release, which names the folder of its modules."""
    modules = _one(tree, _MODULES)
    found = _one(tree, _IMAGES), _one(tree, _CONFIGS)
    if modules is None or found[0] is None or found[1] is None:
        raise BenchError(
            f"{image} has no kernel image, configuration or modules at a known path",
            remedy="Debian has changed its packages: report this, or choose another suite in images/catalogue.toml",
        )
    parts = Parts(image=found[0], config=found[1], modules=modules, system_map=_one(tree, _SYSTEM_MAPS))
    return parts, modules.name


def _one(tree: Path, patterns: tuple[str, ...]) -> Path | None:
    return next((path for pattern in patterns for path in sorted(tree.glob(pattern))), None)
