# SPDX-License-Identifier: MIT
"""The kernels at hand: a cache with one folder a kernel and architecture, safe for several processes."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from hil import cache, directories
from hil.arch import Architecture, architectures, having
from hil.errors import BenchError, UserError
from hil.kernels import catalogue, configuration, debian, distributions, entry
from hil.kernels.catalogue import Debian, Entry
from hil.kernels.distributions import Distribution
from hil.kernels.kernel import Kernel
from hil.kernels.points import Point

_log = logging.getLogger(__name__)

Notify = Callable[[str], None]

# A name is a folder of the cache and the first part of a lane's name.
_NAME = re.compile(rf"[a-z0-9][a-z0-9._+-]*({catalogue.POINT}[a-z0-9.+~-]*)?")

IMPORTED = "imported"
"""The `source` in the provenance of a kernel that a user gave us; it cannot be fetched again."""

BUILT = "built"
"""The `source` in the provenance of a kernel made from its sources by `hil.kernels.building`."""


def root() -> Path:
    return directories.cache() / "kernels"


def location(name: str, arch: Architecture) -> Path:
    """Where the entry is or would be; UserError for what cannot be a kernel's name."""
    if not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name for a kernel", remedy="use a to z, 0 to 9 and . _ + -")
    return root() / name / arch.name


def get(name: str, arch: Architecture, *, notify: Notify = lambda _: None) -> Kernel:
    """The kernel, verified; fetched first when it is not here or damaged, while `notify` is told what is going on.

    UserError when there is no such kernel; BenchError when it cannot be fetched or written, or is an imported one
    that is damaged.
    """
    try:
        return _at_hand(name, arch)
    except (_Absent, cache.Damaged):
        pass  # judged again under the lock, where nobody else is replacing it
    folder = location(name, arch)
    if not _present(folder):
        _fetchable(name, arch)
    with cache.locked(folder, notify=notify):
        try:
            return _at_hand(name, arch)
        except _Absent:
            pass
        except cache.Damaged as damage:
            if was_imported(folder) or not _can_fetch(name):
                raise _damaged(name, arch, damage) from None
            _log.warning("%s", damage)
            notify(f"{damage}; fetching it again")
            with cache.written(folder):
                cache.remove(folder)
        return _fetch(name, arch, notify)


def fetch(name: str, arch: Architecture, *, notify: Notify = lambda _: None) -> Kernel:
    """Fetch the newest there is today, in place of what the cache holds; errors as `get`.

    An imported kernel stays as it is, since replacing it would lose it.
    """
    folder = location(name, arch)
    if not _present(folder):
        _fetchable(name, arch)
    with cache.locked(folder, notify=notify):
        if was_imported(folder):
            raise UserError(
                f"the kernel {name}/{arch} was imported", remedy=f"first `hil kernels remove {name} --arch {arch}`"
            )
        return _fetch(name, arch, notify)


def find(name: str, arch: Architecture) -> Kernel | None:
    """The kernel when it is at hand, verified; None when it is not; BenchError when it is damaged."""
    try:
        return _at_hand(name, arch)
    except _Absent:
        return None
    except cache.Damaged as damage:
        raise _damaged(name, arch, damage) from None


def era(name: str, arch: Architecture) -> str:
    """The era of a kernel that `names` or `points` yields, without a look at its image."""
    if known := catalogue.find(name):
        return known.era
    try:
        return entry.era(name, entry.metadata_of(location(name, arch)))
    except cache.Damaged as damage:
        raise _damaged(name, arch, damage) from None


def distribution(name: str, arch: Architecture) -> Distribution | None:
    """Whose a kernel is that `names` yields, without a look at its image; None when it is not at hand."""
    folder = location(name, arch)
    if not _present(folder):
        return None
    try:
        metadata = entry.metadata_of(folder)
        options = configuration.options_of(folder / metadata["files"]["config"])
    except cache.Damaged as damage:
        raise _damaged(name, arch, damage) from None
    declared = entry.distribution(metadata, folder)
    return distributions.of_kernel(declared, options, declared=True) if declared else distributions.told(options)[0]


def version(name: str, arch: Architecture) -> str:
    """The version of a kernel that `names` or `points` yields, without a look at its image: in full only where its name
    has it or the catalogue does not know the kernel, else MAJOR.MINOR."""
    if known := catalogue.find(name):
        return known.version.partition("-")[0] or known.era
    try:
        return str(entry.metadata_of(location(name, arch))["version"])
    except cache.Damaged as damage:
        raise _damaged(name, arch, damage) from None


def remove(name: str, arch: Architecture) -> bool:
    """Drop the entry; False when there is none."""
    folder = location(name, arch)
    if not _present(folder):
        return False
    with cache.locked(folder), cache.written(folder):
        cache.remove(folder)
    return True


def names() -> Iterator[tuple[str, Architecture]]:
    """Every kernel of the catalogue for each architecture it has, then the imported ones under other names."""
    for name in catalogue.entries():
        for arch in having(name):
            yield name, arch
    for name, arch in _held():
        if name not in catalogue.entries() and catalogue.POINT not in name:
            yield name, arch


def points() -> Iterator[tuple[str, Architecture]]:
    """The point releases at hand."""
    return ((name, arch) for name, arch in _held() if catalogue.POINT in name)


def held_as(point: Point) -> str:
    """The name of the kernel at hand that was made of the point release's package: its own, or that of the catalogue's
    kernel; empty when there is none."""
    return next((name for name in (point.name, point.kernel) if _made_of(name, point)), "")


def _made_of(name: str, point: Point) -> bool:
    try:
        packages = entry.metadata_of(location(name, point.arch))["provenance"].get("packages")
    except cache.Damaged:
        return False
    return bool(packages) and packages[0]["sha256"] == point.image.sha256


def _held() -> Iterator[tuple[str, Architecture]]:
    for folder in sorted(root().glob("*/*")):
        if folder.name in architectures():
            yield folder.parent.name, architectures()[folder.name]


def was_imported(folder: Path) -> bool:
    """Whether the entry in `folder` is a user's own kernel, which must not be replaced; False when nobody can tell."""
    try:
        return bool(entry.metadata_of(folder)["provenance"]["source"] == IMPORTED)
    except cache.Damaged:
        return False


class NotAtHand(UserError):
    """The kernel is not in the cache and nothing can fetch it; it has to be built or imported."""


def _damaged(name: str, arch: Architecture, damage: cache.Damaged) -> BenchError:
    """The error for who cannot, or was not asked to, fetch the kernel again."""
    if catalogue.find(name) is None or was_imported(location(name, arch)):
        again = "import"
    else:
        again = "fetch" if _can_fetch(name) else "build"
    return BenchError(
        f"the kernel {name}/{arch} is damaged: {damage}",
        remedy=f"remove it with `hil kernels remove {name} --arch {arch}` and {again} it again",
    )


class _Absent(Exception):
    """Nothing is at the entry's place."""


def _at_hand(name: str, arch: Architecture) -> Kernel:
    folder = location(name, arch)
    if not _present(folder):
        _log.debug("%s/%s is not in the cache", name, arch)
        raise _Absent
    _log.debug("taking %s/%s from %s", name, arch, folder)
    return entry.read(folder, arch)


def _present(folder: Path) -> bool:
    with cache.written(folder):
        return folder.is_dir()


def _can_fetch(name: str) -> bool:
    known = catalogue.find(name)
    return known is not None and isinstance(known.source, Debian)


def _fetchable(name: str, arch: Architecture) -> tuple[Entry, Debian]:
    """The entry of the catalogue with a source we can fetch; NotAtHand when there is none, UserError when there is no
    such kernel for the architecture."""
    catalogue.check_offered(name, arch)
    known = catalogue.entry(name)
    if isinstance(known.source, Debian):
        return known, known.source
    raise NotAtHand(
        f"the kernel {name}/{arch} is not at hand and cannot be fetched: the catalogue names its sources only",
        remedy=f"build it with `hil kernels build {name} --arch {arch}`, or import one: {_how_to_import(name)}",
    )


def _fetch(name: str, arch: Architecture, notify: Notify) -> Kernel:
    """Under the lock: fill the entry from the source the catalogue names."""
    known, source = _fetchable(name, arch)
    folder = location(name, arch)
    _log.info("fetching %s/%s from Debian's %s", name, arch, source.suite)
    try:
        with cache.replaced(folder) as new:
            debian.fill(new, known, source, arch, notify)
    except cache.Unusable:
        raise
    except BenchError as error:
        otherwise = "" if known.version else f"; or import one: {_how_to_import(name)}"
        raise BenchError(
            f"the kernel {name}/{arch} is not at hand and cannot be fetched: {error.what}",
            remedy=f"{error.remedy}{otherwise}",
            details=error.details,
        ) from error
    return entry.read(folder, arch)


def _how_to_import(name: str) -> str:
    return f"`hil kernels import {name} --image ... --config ...`"
